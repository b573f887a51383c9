"""The steps of bring-up, in order, with what each needs before it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bringup import debian, deploy, docker, images, node, pins, ready, tools, way, world
from bringup.cluster import Cluster
from bringup.images import Image
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.staging import OPERATOR
from bringup.steps import Step

NEEDS_CLUSTER = frozenset({"kubernetes", "tools", "image-metrics-server", "platform-images"})
"""Steps whose results no test without a cluster uses."""


@dataclass
class Run:
    """What one run knows. `choice` is filled in by step `way`, for those after it."""

    knobs: Knobs
    cluster: Cluster
    choice: way.Choice | None = None

    @property
    def from_packages(self) -> bool:
        """Whether the packages' way was taken."""
        assert self.choice is not None
        return self.choice.way == "packages"

    @property
    def node_image(self) -> str:
        """The node image of the way taken."""
        return pins.local_node() if self.from_packages else pins.PUBLISHED_NODE


def everything(run: Run) -> list[Step]:
    """From a bare machine to a platform that is Ready."""
    servers, platform = images.servers(run.knobs), images.platform(run.knobs)
    return [
        *_machine(run),
        *_images(run.knobs, servers, platform),
        *_node(run),
        *_platform(run, servers, platform),
    ]


def for_tests(run: Run, *, cluster: bool) -> list[Step]:
    """What the checks need before any of them runs; with `cluster`, all but the cluster itself."""
    servers = images.servers(run.knobs)
    if cluster:
        platform = [*images.platform(run.knobs), images.tests(run.knobs)]
        steps = [*_machine(run), *_images(run.knobs, servers, platform)]
        return [*steps, *(step for step in _node(run) if step.name != "cluster")]
    steps = [*_machine(run), *_images(run.knobs, servers, [])]
    return [_without_cluster(step) for step in steps if step.name not in NEEDS_CLUSTER]


def _without_cluster(step: Step) -> Step:
    return replace(step, after=tuple(name for name in step.after if name not in NEEDS_CLUSTER))


def _machine(run: Run) -> list[Step]:
    knobs = run.knobs

    def pick(job: Job) -> None:
        run.choice = way.choose(job, knobs)
        job.say(f"        way: {run.choice.way}, because {run.choice.why}")
        if run.choice.way == "registry":
            way.pull_published(job)

    return [
        Step("docker", "Docker", docker.install_and_start, done=docker.why_nothing_to_do),
        Step("way", "Registry or packages", pick, ("docker",)),
        Step(
            "debian",
            "Debian base image",
            lambda job: debian.make(job, knobs, pins.DEBIAN_IMAGE, "trixie"),
            ("way",),
            lambda: "is here" if debian.is_made(pins.DEBIAN_IMAGE, "trixie") else None,
        ),
        Step(
            "kubernetes",
            "Kubernetes from source",
            lambda job: node.build_kubernetes(job, knobs),
            ("way",),
            lambda: _packages_only(run, node.is_made() or node.kubernetes_is_built(), "is built"),
        ),
        Step("python", "Python environment (uv.lock)", lambda job: tools.sync_venv(job, knobs), ("way",)),
        Step(
            "helm",
            "helm",
            lambda job: tools.build(job, knobs, ["helm"]),
            ("kubernetes",),  # which compiles most of what helm is made of
            lambda: "is built" if tools.are_built(["helm"]) else None,
        ),
        Step(
            "tools",
            "kind, kubectl",
            lambda job: tools.build(job, knobs),
            ("helm",),
            lambda: "are built" if tools.are_built() else None,
        ),
    ]


def _images(knobs: Knobs, servers: list[Image], platform: list[Image]) -> list[Step]:
    base = images.base(knobs)
    return [
        _image_step(base, ("debian",)),
        *(_image_step(image, ("image-base", *_compiled_before(image))) for image in servers),
        Step(
            "platform-images",
            "Images of our code",
            lambda job: images.build_all(job, platform),
            ("image-base",),
            lambda: "are here" if all(image.exists() for image in platform) else None,
        ),
    ]


def _compiled_before(image: Image) -> tuple[str, ...]:
    """Who is compiled of Kubernetes' libraries waits for those that are more: two at once would compile them twice."""
    return ("tools",) if image.name in images.COMPILED else ()


def _node(run: Run) -> list[Step]:
    knobs, cluster = run.knobs, run.cluster
    return [
        Step(
            "parts",
            "etcd, CoreDNS, volume provisioner",
            lambda job: node.build_parts(job, knobs),
            ("kubernetes",),
            lambda: _packages_only(run, node.is_made() or node.parts_are_built(), "are built"),
        ),
        Step(
            "rootfs",
            "Debian for the node",
            lambda job: node.make_rootfs(job, knobs),
            ("debian",),
            lambda: _packages_only(run, node.is_made() or node.rootfs_is_made(), "is here"),
        ),
        Step(
            "node",
            "Node image",
            lambda job: node.make(job, knobs),
            ("parts", "rootfs", "tools"),
            lambda: _packages_only(run, node.is_made(), "is here"),
        ),
        Step(
            "cluster",
            f"Cluster {cluster.name}",
            lambda job: cluster.bring_up(job, run.node_image),
            ("node",),
            lambda: "is up" if cluster.is_up() else None,
        ),
    ]


def _platform(run: Run, servers: list[Image], platform: list[Image]) -> list[Step]:
    knobs, cluster = run.knobs, run.cluster
    operator = images.tags([image for image in platform if image.name == OPERATOR])

    def load(wanted: list[Image]) -> Callable[[Job], None]:
        return lambda job: cluster.load(job, [image.reference for image in wanted])

    def apply_platform(job: Job) -> None:
        deploy.platform(job, cluster, knobs, images.tags(platform))

    return [
        Step("namespaces", "Namespaces", lambda job: deploy.namespaces(job, cluster), ("cluster",)),
        Step("load-servers", "Servers' images into the node", load(servers), ("cluster", *_names(servers))),
        Step(
            "infra",
            "Chart suuupra-infra: backing servers",
            lambda job: deploy.release(job, cluster, deploy.INFRA, images.tags(servers)),
            ("load-servers", "namespaces"),
        ),
        Step(
            "load-platform", "Our images into the node", load(platform), ("load-servers", "platform-images")
        ),
        Step(
            "operator",
            "Chart suuupra: operator",
            lambda job: deploy.release(job, cluster, deploy.OPERATOR, operator),
            ("load-platform", "namespaces"),
        ),
        Step("platform", "The platform's resource", apply_platform, ("operator", "python")),
        Step("services", "The services' resources", lambda job: deploy.services(job, cluster), ("platform",)),
        Step(
            "ready",
            "Everything Ready",
            lambda job: ready.everything(job, cluster, knobs.ready_wait),
            ("services", "infra"),
        ),
        Step(
            "world",
            "A small living world",
            lambda job: world.make(job, cluster, knobs),
            ("ready", "python"),
            lambda: world.is_there(cluster, knobs),
        ),
    ]


def _packages_only(run: Run, built: bool, what: str) -> str | None:
    if not run.from_packages:
        return "published image, nothing to build"
    return what if built else None


def _image_step(image: Image, after: tuple[str, ...]) -> Step:
    return Step(
        f"image-{image.name}",
        f"Image {image.name}",
        lambda job: images.build(job, image),
        after,
        lambda: "is here" if image.exists() else None,
    )


def _names(of: list[Image]) -> list[str]:
    return [f"image-{image.name}" for image in of]

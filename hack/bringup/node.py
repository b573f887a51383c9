"""The node image, built from Go modules and Debian packages where no registry serves the published one.

Nothing that uses it can tell: it carries the name the published image has, kind runs it unchanged, and the
node's own entrypoint, units and configuration are kind's, taken out of the very module kind is built from.
"""

import shutil
from pathlib import Path

from bringup import debian, docker, golang, paths, pins
from bringup.docker import LABEL
from bringup.hashing import digest_tree, tree
from bringup.job import Job
from bringup.knobs import Knobs

CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
NODE_PROGRAMS = ("kubeadm", "kubelet", "kubectl")
KUBERNETES = (*CONTROL_PLANE, *NODE_PROGRAMS)
PARTS = ("etcd", "coredns", "local-path-provisioner")
SUITE = "bookworm"
"""Debian 12: systemd 256 and later, in Debian 13, does not boot on cgroup v1."""
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "socat"),
    *(
        "util-linux",
        "mount",
        "kmod",
        "libseccomp2",
        "pigz",
        "bash",
        "ca-certificates",
        "curl",
        "jq",
        "procps",
    ),
    *("hostname", "rsync", "containerd", "runc", "containernetworking-plugins", "apparmor"),
)
PROGRAMS = paths.CACHE / "node" / "bin"
CONTEXTS = paths.WORK / "node"
HELPER = "suuupra/volume-helper:v1"
PROVISIONER = "suuupra/local-path-provisioner"
FILES = paths.ROOT / "images" / "node"


def linker() -> str:
    """Kubernetes asks its linker for its own version; without it kubeadm takes itself for v0.0.0."""
    version = pins.module_version("k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    at = "k8s.io/component-base/version"
    return f"-X {at}.gitVersion={version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}"


def build_kubernetes(job: Job, knobs: Knobs) -> None:
    """Compile Kubernetes: eight minutes on two cores the first time."""
    golang.build(job, knobs, KUBERNETES, PROGRAMS, linker=linker())


def kubernetes_is_built() -> bool:
    """Whether the programs of this version are in the cache."""
    return golang.is_built(KUBERNETES, PROGRAMS, linker=linker())


def build_parts(job: Job, knobs: Knobs) -> None:
    """Compile what a control plane needs beside Kubernetes: etcd, CoreDNS, the volume provisioner."""
    for part in PARTS:  # one by one: together, two spellings of one library's name refuse each other
        golang.build(job, knobs, [part], PROGRAMS)


def parts_are_built() -> bool:
    """Whether etcd, CoreDNS and the provisioner are in the cache."""
    return golang.is_built(PARTS, PROGRAMS)


def recipe() -> str:
    """Hash of everything of ours that goes into the node image."""
    compiled = (golang.recipe(linker()), golang.recipe())
    return digest_tree(tree(FILES), *compiled, debian.recipe(SUITE, PACKAGES), str(_restrict_oom_score()))


def is_made() -> bool:
    """Whether the image under the published name is the one this recipe gives."""
    return docker.image_label(pins.local_node(), debian.RECIPE_LABEL) == recipe()


def rootfs() -> str:
    """Reference of the Debian the node is built on."""
    return f"suuupra/node-rootfs:{debian.recipe(SUITE, PACKAGES)}"


def rootfs_is_made() -> bool:
    """Whether the node's Debian is there."""
    return debian.is_made(rootfs(), SUITE, PACKAGES)


def make_rootfs(job: Job, knobs: Knobs) -> None:
    """debootstrap the node's Debian, systemd and containerd included."""
    debian.make(job, knobs, rootfs(), SUITE, PACKAGES)


def make(job: Job, knobs: Knobs) -> None:
    """Put the node image together: programs, control-plane images, kind's own files, ours."""
    context = CONTEXTS / "node"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    shutil.copytree(FILES, context / "node", dirs_exist_ok=True)
    shutil.copytree(_kind_files(job, knobs), context / "kind")
    images = _make_control_plane_images(job)
    _adapt_containerd(context / "kind/etc/containerd/config.toml", pause=images["pause"])
    (context / "bin").mkdir()
    for program in NODE_PROGRAMS:
        (context / "bin" / program).hardlink_to(PROGRAMS / program)
    (context / "node/version").write_text(pins.module_version("k8s.io/kubernetes"))
    job.waiting("Docker to save the control plane's images")
    job.run(["docker", "save", "-o", str(context / "images.tar"), *images.values()])
    job.waiting("Docker to build the node image")
    job.run(
        [
            *(
                "docker",
                "build",
                "--file",
                str(context / "node/Dockerfile"),
                "--build-arg",
                f"BASE={rootfs()}",
            ),
            *("--label", f"{debian.RECIPE_LABEL}={recipe()}", "--tag", pins.local_node(), str(context)),
        ]
    )
    shutil.rmtree(context)


def _kind_files(job: Job, knobs: Knobs) -> Path:
    folder = job.output(
        ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kind"],
        cwd=paths.GO_MODULE,
        env=golang.environment(knobs),
    )
    return Path(folder.strip()) / "images/base/files"


def _make_control_plane_images(job: Job) -> dict[str, str]:
    """Make every image kubeadm asks for under the name it asks by, and the two the volumes need."""
    version = pins.module_version("k8s.io/kubernetes")
    asked = job.output(
        [str(PROGRAMS / "kubeadm"), "config", "images", "list", "--kubernetes-version", version]
    )
    names = {reference.rsplit("/", 1)[1].split(":")[0]: reference for reference in asked.split()}
    names["local-path-provisioner"] = f"{PROVISIONER}:{_provisioner_version()}"
    for program, reference in names.items():
        job.waiting(f"Docker to make {reference}")
        if program in ("pause", "kube-proxy"):
            _build_stage(job, program, reference)
        else:
            _import_program(job, program, reference)
    job.run(["docker", "tag", pins.DEBIAN_IMAGE, HELPER])
    return {**names, "helper": HELPER}


def _import_program(job: Job, program: str, reference: str) -> None:
    """An image of one static program and nothing else."""
    entry = f'ENTRYPOINT ["/usr/local/bin/{program}"]'
    job.pipe(
        ["tar", "-C", str(PROGRAMS), "--transform", "s,^,usr/local/bin/,", "-c", program],
        ["docker", "import", "--change", entry, "--change", f"LABEL {LABEL}", "-", reference],
    )


def _build_stage(job: Job, stage: str, reference: str) -> None:
    context = CONTEXTS / stage
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(FILES / stage, context)
    if (PROGRAMS / stage).exists():
        (context / stage).hardlink_to(PROGRAMS / stage)
    base = f"BASE={pins.DEBIAN_IMAGE}"
    job.run(["docker", "build", "--build-arg", base, "--label", LABEL, "--tag", reference, str(context)])
    shutil.rmtree(context)


def _adapt_containerd(config: Path, pause: str) -> None:
    """kind's configuration is for containerd 2; Debian 12 has 1.6, and this machine its own limits."""
    text = config.read_text()
    lines = [
        f'  sandbox_image = "{pause}"' if line.strip().startswith("sandbox_image") else line
        for line in text.splitlines()
    ]
    adapted = "\n".join(lines).replace(
        "tolerate_missing_hugepages_controller", "tolerate_missing_hugetlb_controller"
    )
    if _restrict_oom_score():
        adapted = adapted.replace("restrict_oom_score_adj = false", "restrict_oom_score_adj = true")
    config.write_text(adapted + "\n")


def _restrict_oom_score() -> bool:
    """Without CAP_SYS_RESOURCE nobody may lower a score; containerd must not try, or every sandbox dies."""
    status = Path("/proc/self/status").read_text()
    return not docker.has_capability(docker.CAP_SYS_RESOURCE, status)


def _provisioner_version() -> str:
    return pins.module_version("github.com/rancher/local-path-provisioner")

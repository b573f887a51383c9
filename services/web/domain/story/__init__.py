"""The story of one order over all services: what happened when and where, in one picture.

`moments` has the words, `tellers` one function for what each service tells, `drawing` the lanes of the picture.
"""

from services.web.domain.story.moments import Lane, Missing, Moment, Span, Step, Story, Tone, told

__all__ = ["Lane", "Missing", "Moment", "Span", "Step", "Story", "Tone", "told"]

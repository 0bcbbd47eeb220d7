"""How plugins' events are told in a line: by their own classes, looked for when the first one is met."""

from functools import cached_property

from eventlog.custom import NAME
from eventlog.events import UnknownEvent
from eventlog.vocabulary import NO_EVENTS, Vocabulary
from settings import Settings


class Headlines:
    """Tells events by the plugins that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, event: UnknownEvent) -> str:
        """The event in a line; empty where its plugin is not here."""
        return self._vocabulary.headline(event) if NAME.fullmatch(event.type_name) else ""

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        from bootstrap import load_extensions
        from tools.errors import ToolError

        try:
            return load_extensions(self._settings).events
        except ToolError:  # whoever looks at a thread sees it all the same
            return NO_EVENTS

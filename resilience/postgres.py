"""Circuits and gates in tables beside the log: one statement each, by the server's clock."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from eventlog.statements import Statements
from resilience.store import Change, Circuit, CircuitState, CircuitTerms, Delay, Pass

_CIRCUIT: Final[LiteralString] = """
SELECT name, state, why, changed_at, failures, successes,
       greatest(extract(epoch FROM CASE state WHEN 'open' THEN open_until WHEN 'half_open' THEN probe_until
                                              ELSE clock_timestamp() END - clock_timestamp()), 0)::float8,
       CASE WHEN slow_until > clock_timestamp()
            THEN extract(epoch FROM slow_until - clock_timestamp()) ELSE 0 END::float8
  FROM perdure.circuits
"""
TROUBLED: Final[LiteralString] = (
    _CIRCUIT
    + """
 WHERE state <> 'closed' OR slow_until > clock_timestamp()
    OR (failures > 0 AND window_began > clock_timestamp() - interval '10 minutes')
"""
)
CIRCUITS: Final[LiteralString] = _CIRCUIT + " ORDER BY name"
CHANGES: Final[LiteralString] = """
SELECT name, at, before, after, why FROM perdure.circuit_changes ORDER BY number DESC LIMIT %b::int
"""
ENTER: Final[LiteralString] = "SELECT perdure.circuit_enter(%b::text, %b::text, %b::float8)"
FAILED: Final[LiteralString] = """
SELECT perdure.circuit_failed(%b::text, %b::text, %b::text, %b::int, %b::boolean,
                              %b::float8, %b::int, %b::float8, %b::float8, %b::float8)
"""
SUCCEEDED: Final[LiteralString] = "SELECT perdure.circuit_succeeded(%b::text, %b::text, %b::int)"
LEFT: Final[LiteralString] = "SELECT perdure.circuit_left(%b::text, %b::text)"
SLOWED: Final[LiteralString] = "SELECT perdure.circuit_slowed(%b::text, %b::float8)"
RESET: Final[LiteralString] = "SELECT perdure.circuit_reset(%b::text, %b::text)"
THROUGH: Final[LiteralString] = """
SELECT wait, gate FROM perdure.pass_gates(%b::text[], %b::float8[], %b::float8[], %b::text[], %b::text, %b::float8)
"""
SETTLE: Final[LiteralString] = "SELECT perdure.settle_gates(%b::text[], %b::float8[])"
IS_OPEN: Final[LiteralString] = """
SELECT has_function_privilege(procedure.oid, 'EXECUTE')
  FROM pg_catalog.pg_proc procedure
 WHERE procedure.pronamespace = to_regnamespace('perdure') AND procedure.proname = 'pass_gates'
"""
LONGEST_WHY: Final = 500
"""Characters of a reason that are kept."""


class PostgresStore:
    """See `Store`."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def is_open(self) -> bool:
        """Whether the tables and functions are there: not everybody may install them."""
        return (True,) in await self._statements.rows(IS_OPEN)

    async def troubled(self) -> Sequence[Circuit]:
        """See `Store.troubled`."""
        return [Circuit(*row) for row in await self._statements.rows(TROUBLED)]

    async def circuits(self) -> Sequence[Circuit]:
        """See `Store.circuits`."""
        return [Circuit(*row) for row in await self._statements.rows(CIRCUITS)]

    async def changes(self, most: int) -> Sequence[Change]:
        """See `Store.changes`."""
        return [Change(*row) for row in await self._statements.rows(CHANGES, most)]

    async def enter(self, name: str, who: str, terms: CircuitTerms) -> float:
        """See `Store.enter`."""
        return float(await self._value(ENTER, name, who, terms.probe))

    async def failed(
        self, name: str, who: str, why: str, terms: CircuitTerms, *, successes: int = 0, at_once: bool = False
    ) -> CircuitState:
        """See `Store.failed`."""
        when = (terms.window, terms.failures, terms.ratio, terms.open, terms.longest)
        state: CircuitState = await self._value(FAILED, name, who, _told(why), successes, at_once, *when)
        return state

    async def succeeded(self, name: str, who: str, successes: int) -> None:
        """See `Store.succeeded`."""
        await self._value(SUCCEEDED, name, who, successes)

    async def left(self, name: str, who: str) -> None:
        """See `Store.left`."""
        await self._value(LEFT, name, who)

    async def slowed(self, name: str, seconds: float) -> None:
        """See `Store.slowed`."""
        await self._value(SLOWED, name, seconds)

    async def reset(self, name: str | None, who: str) -> Sequence[str]:
        """See `Store.reset`."""
        return sorted(str(found) for (found,) in await self._statements.rows(RESET, name or "", who))

    async def pass_(self, passes: Sequence[Pass], ticket: str, patience: float) -> Delay | None:
        """See `Store.pass_`."""
        names, bursts = [each.gate for each in passes], [each.burst for each in passes]
        costs, flows = [each.cost for each in passes], [each.flow for each in passes]
        [(wait, gate)] = await self._statements.rows(THROUGH, names, bursts, costs, flows, ticket, patience)
        return Delay(wait, gate) if wait > 0 else None

    async def settle(self, differences: Sequence[tuple[str, float]]) -> None:
        """See `Store.settle`."""
        await self._value(SETTLE, [gate for gate, _ in differences], [seconds for _, seconds in differences])

    async def _value(self, query: LiteralString, *parameters: object) -> Any:
        rows = await self._statements.rows(query, *parameters)
        return rows[0][0] if rows else None


def _told(why: str) -> str:
    """A reason as the database can hold it."""
    return " ".join(why.replace("\x00", " ").split())[:LONGEST_WHY].encode("utf-8", "replace").decode()

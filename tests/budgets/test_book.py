"""What every book of accounts promises, in memory and in PostgreSQL."""

from decimal import Decimal
from uuid import uuid4

from budgets.book import NOTHING, Book
from tests.budgets.conftest import DAY, account, claim, hold, stands

D = Decimal


async def test_what_is_set_aside_is_settled_with_what_was_used(book: Book) -> None:
    """A hold counts in full until it is settled, and after that only what was used does."""
    mine = hold()
    [line] = await book.reserve(mine, [claim("0.60")])
    assert (line.refused, line.balance.used, line.allowed) == (False, D("0.60"), D(1))
    assert await book.settle(mine.id, {"cost": D("0.25")})
    assert await stands(book) == {"day/cost": (D("0.25"), D(0))}


async def test_what_goes_beyond_the_cap_is_refused(book: Book) -> None:
    """The refusal changes nothing and says how the account stands; up to the very cap is not beyond it."""
    await book.reserve(hold(), [claim("0.60")])
    [refused] = await book.reserve(hold(), [claim("0.400001")])
    assert (refused.refused, refused.balance.used) == (True, D("0.60"))
    [granted] = await book.reserve(hold(), [claim("0.4")])
    assert (granted.refused, granted.balance.used) == (False, D("1.0"))


async def test_of_several_claims_all_are_granted_or_none(book: Book) -> None:
    """One account without room keeps all others from being touched."""
    tokens, calls = account(measure="tokens"), account(measure="calls")
    lines = await book.reserve(hold(), [claim("10", "100", tokens), claim("2", "1", calls), claim("0.5")])
    assert [line.refused for line in lines] == [False, True, False]
    assert set((await stands(book)).values()) <= {(D(0), D(0))}


async def test_a_hold_said_twice_counts_once(book: Book) -> None:
    """An attempt that has not heard the answer asks again and gets the same one."""
    mine = hold()
    assert await book.reserve(mine, [claim("0.60")]) == await book.reserve(mine, [claim("0.60")])
    assert await stands(book) == {"day/cost": (D(0), D("0.60"))}


async def test_settling_twice_counts_once(book: Book) -> None:
    """Only the first word on what was used counts."""
    mine = hold()
    await book.reserve(mine, [claim("0.60")])
    assert await book.settle(mine.id, {"cost": D("0.1")})
    assert not await book.settle(mine.id, {"cost": D("0.5")})
    assert not await book.settle(uuid4(), {})
    assert await stands(book) == {"day/cost": (D("0.1"), D(0))}


async def test_what_never_happened_is_released(book: Book) -> None:
    """Settled with nothing, it leaves no trace in the account."""
    mine = hold()
    await book.reserve(mine, [claim("0.60")])
    await book.settle(mine.id, NOTHING)
    assert await stands(book) == {"day/cost": (D(0), D(0))}


async def test_what_nobody_knows_counts_as_it_was_set_aside(book: Book) -> None:
    """A measure that is left out was used whole."""
    mine, tokens = hold(), account(measure="tokens")
    await book.reserve(mine, [claim("0.60"), claim("50", "100", tokens)])
    await book.settle(mine.id, {"tokens": D(7)})
    assert await stands(book) == {"day/cost": (D("0.60"), D(0)), "day/tokens": (D(7), D(0))}


async def test_the_next_attempt_finds_the_hold_of_one_that_died(book: Book) -> None:
    """The same step holds once; what the dead one had set aside counts where it may have called."""
    mine = hold()
    await book.reserve(mine, [claim("0.30")])
    await book.reserve(hold(mine.id, "2", lost=True), [claim("0.30")])
    assert await stands(book) == {"day/cost": (D("0.30"), D("0.30"))}
    await book.reserve(hold(mine.id, "3", lost=False), [claim("0.30")])
    assert await stands(book) == {"day/cost": (D("0.30"), D("0.30"))}


async def test_an_attempt_that_was_taken_for_dead_settles_nothing(book: Book) -> None:
    """Its hold counts in full already; the one that came after it settles its own."""
    mine = hold()
    await book.reserve(mine, [claim("0.30")])
    await book.reserve(hold(mine.id, "2"), [claim("0.30")])
    assert not await book.settle(mine.id, {"cost": D(0)}, "1")
    assert await book.settle(mine.id, {"cost": D("0.1")}, "2")
    assert await stands(book) == {"day/cost": (D("0.40"), D(0))}


async def test_a_refused_attempt_leaves_what_the_one_before_it_may_have_used(book: Book) -> None:
    """Where there is no room for the next attempt, the lost one still counts."""
    mine = hold()
    await book.reserve(mine, [claim("0.60")])
    [line] = await book.reserve(hold(mine.id, "2"), [claim("0.60")])
    assert line.refused
    assert await stands(book) == {"day/cost": (D("0.60"), D(0))}


async def test_a_settled_step_may_hold_again(book: Book) -> None:
    """What failed and is tried again counts for each try."""
    mine = hold()
    await book.reserve(mine, [claim("0.30")])
    await book.settle(mine.id, {})
    [line] = await book.reserve(hold(mine.id, "2"), [claim("0.30")])
    assert line.balance.used == D("0.60")


async def test_the_end_of_a_thread_settles_what_it_left(book: Book) -> None:
    """What is still set aside counts as used; other threads' holds stay, and a second end finds nothing."""
    await book.reserve(hold(thread="a"), [claim("0.10")])
    await book.reserve(hold(thread="a"), [claim("0.20")])
    await book.reserve(hold(thread="b"), [claim("0.40")])
    assert await book.close("a") == 2
    assert await book.close("a") == 0
    assert await stands(book) == {"day/cost": (D("0.30"), D("0.40"))}


async def test_a_cap_is_raised_once_for_each_event(book: Book) -> None:
    """What was refused has room then; the same event, told twice, raises once."""
    event = uuid4()
    assert (await book.reserve(hold(), [claim("1.5")]))[0].refused
    assert await book.raise_cap(event, account(), D(1))
    assert not await book.raise_cap(event, account(), D(1))
    [line] = await book.reserve(hold(), [claim("1.5")])
    assert (line.refused, line.allowed) == (False, D(2))


async def test_each_part_of_a_cap_is_passed_once(book: Book) -> None:
    """The call that passes it is told so, also when it asks again; later ones hear of larger parts only."""
    shares = ("0.5", "0.8")
    assert (await book.reserve(hold(), [claim("0.4", warn_at=shares)]))[0].warned is None
    second = hold()
    assert (await book.reserve(second, [claim("0.2", warn_at=shares)]))[0].warned == D("0.5")
    assert (await book.reserve(second, [claim("0.2", warn_at=shares)]))[0].warned == D("0.5")
    assert (await book.reserve(hold(), [claim("0.1", warn_at=shares)]))[0].warned is None
    assert (await book.reserve(hold(), [claim("0.2", warn_at=shares)]))[0].warned == D("0.8")


async def test_accounts_are_listed_by_period(book: Book) -> None:
    """Only those of the periods that are asked for, in the order of their names."""
    await book.reserve(hold(), [claim("0.1", of=account("b")), claim("0.2", of=account("a"))])
    assert list(await stands(book)) == ["a/cost", "b/cost"]
    assert await book.balances(["2026-11"]) == ()
    assert {balance.account for balance in await book.balances([DAY, "2026-11"])} == {
        '["a","acme",null,"2026-11-21","cost"]',
        '["b","acme",null,"2026-11-21","cost"]',
    }


async def test_who_was_refused_waits_until_it_is_granted(book: Book) -> None:
    """Whoever raises an account learns which threads wait for it, each once, and for it alone."""
    other = account("other")
    await book.reserve(hold(), [claim("1")])
    first, second, third = hold(thread="b"), hold(thread="a"), hold(thread="a")
    for each in (first, second, third):
        assert (await book.reserve(each, [claim("0.5"), claim("0.1", of=other)]))[0].refused
        assert await book.wait(each.id, account()) == 0
    assert await book.waiting(account()) == ("a", "b")
    assert await book.waiting(other) == ()
    await book.raise_cap(uuid4(), account(), D(1))
    await book.reserve(hold(first.id, "2", thread="b"), [claim("0.5")])
    assert await book.waiting(account()) == ("a",)
    await book.close("a")
    assert await book.waiting(account()) == ()


async def test_who_was_refused_before_a_raise_does_not_wait_for_the_next_one(book: Book) -> None:
    """Between the refusal and the question somebody else may allow more: how much is told in the place of waiting."""
    await book.reserve(hold(), [claim("1")])
    mine = hold()
    await book.reserve(mine, [claim("0.5")])
    await book.raise_cap(uuid4(), account(), D("0.2"))
    await book.raise_cap(uuid4(), account(), D("0.1"))
    assert await book.wait(mine.id, account()) == D("0.3")
    assert await book.waiting(account()) == ()
    assert (await book.reserve(hold(mine.id, "2"), [claim("0.5")]))[0].refused
    assert await book.wait(mine.id, account()) == 0
    assert await book.waiting(account()) == (mine.thread,)

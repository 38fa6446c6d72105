"""Client accounts: how one stands, who owns it, what halts it."""

from enum import StrEnum

from msgspec import Struct

from tradedesk.domain.limits import Limits
from tradedesk.domain.mandate import Mandate
from tradedesk.domain.profile import Profile
from tradedesk.domain.scopes import Scope, scope_of
from tradedesk.domain.words import AccountId, VenueId


class AccountState(StrEnum):
    """Whether an account can trade now."""

    Ready = "Ready"
    Reconciling = "Reconciling"  # comparing with the venue; no new orders until done
    Blocked = "Blocked"  # needs a person: bad key, contradicting venue, damaged record
    Halted = "Halted"  # reported when a halt is latched on the account or the desk
    Offline = "Offline"  # no way to the venue at the moment


class HaltLevel(StrEnum):
    """How far a halt goes: what it refuses, and what it cancels."""

    BlockNew = "block-new"  # refuses every new order; cancels nothing
    ReduceOnly = "reduce-only"  # refuses all but what shrinks a position; cancels nothing
    CancelOpening = "cancel-opening"  # refuses likewise, cancels what would open risk; protective orders stay
    CancelAll = "cancel-all"  # refuses every new order, cancels every one of ours
    Flatten = "flatten"  # likewise, then sells or buys back at market what is left

    @property
    def allows_reducing(self) -> bool:
        """Whether an order that only shrinks a position may still be sent."""
        return self in (HaltLevel.ReduceOnly, HaltLevel.CancelOpening)

    @property
    def strictness(self) -> int:
        """The more it refuses the higher: of several halts over one order the strictest is in force."""
        return _STRICTNESS.index(self)


_STRICTNESS = (
    HaltLevel.ReduceOnly, HaltLevel.CancelOpening, HaltLevel.BlockNew, HaltLevel.CancelAll, HaltLevel.Flatten,
)  # fmt: skip


class OnStop(StrEnum):
    """What becomes of an account's orders when its desk is stopped in order (F72)."""

    Keep = "keep"
    Cancel = "cancel"


class DeadMan(StrEnum):
    """What cancels an account's orders when its desk gives no sign of life any more."""

    Watchdog = "watchdog"  # a process of ours beside the desk


class SignsIn(StrEnum):
    """Where the key of an account is held, and its requests are signed."""

    Thread = "thread"  # of its worker, in the desk's own process
    Process = "process"  # of its own, which alone holds the key


class Mode(StrEnum):
    """Paper demands a url on its venue, live forbids one: anything else is a mistake in desk.toml."""

    Paper = "paper"
    Live = "live"


class Account(Struct, frozen=True, kw_only=True):
    """One client's account at one venue, as configured."""

    id: AccountId
    venue: VenueId
    owner: str
    groups: tuple[str, ...]
    mode: Mode
    egress: str  # its exit: a source address or a proxy without its password (domain.exits)
    secret: str  # name of its entry in the vault, never the secret
    limits: Limits
    family: str | None = None  # accounts that declare to share one exit
    uid: str | None = None  # of the account at the venue; accounts with the same one share its limits
    master: str | None = None  # the venue's account that it is a sub-account of, whose limits all of them share
    standby_egress: str | None = None  # the exit an operator may switch to
    exit_address: str | None = None  # where `egress` is seen from outside, if that does not follow from it
    standby_exit_address: str | None = None  # likewise of `standby_egress`
    exit_check: str | None = None  # URL that answers with the address it was asked from; None: the desk's
    stp_group: str | None = None  # accounts whose orders the venue keeps from trading with each other
    cancel_secret: str | None = None  # entry of the vault of a key that can cancel only: what kill and watchdog use
    on_stop: OnStop = OnStop.Keep
    dead_man: DeadMan | None = None
    flatten_by_itself: bool = False  # whether a rule of the RiskMonitor may close its positions at market
    signer: SignsIn = SignsIn.Thread
    mandate: Mandate | None = None  # what may be done for the client; None: whatever the limits let pass
    profile: Profile | None = None  # how it must be set at the venue; None: nothing is asked of it
    leaves_by: str = ""  # the one of its exits that is in use; empty until its worker runs
    key: str = ""  # fingerprint of its API key; of no use but to tell keys apart, and empty until the vault is open


class Halt(Struct, frozen=True, kw_only=True):
    """A latched halt of one account, of the desk where neither `account` nor `scope` is named, or of another scope."""

    account: AccountId | None
    level: HaltLevel
    by: str
    reason: str
    at: int  # ns
    scope: Scope | None = None  # what else than an account or the desk is halted

    @property
    def of(self) -> Scope:
        """What is halted."""
        return scope_of(self.account, self.scope)

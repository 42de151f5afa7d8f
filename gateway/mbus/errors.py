"""What this package raises, for callers to act on. Bad octets are values, never an exception."""


class MBusError(Exception):
    """Base of every exception that leaves `gateway.mbus`: the problem, and what to do about it."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


class BadKey(MBusError):
    """The key given is no AES-128 key."""


class MeterSilent(MBusError):
    """Nothing came back in any attempt."""


class AnswerGarbled(MBusError):
    """Something came back, but in no attempt a whole frame: noise, or two meters at once."""


class WrongAnswer(MBusError):
    """Whole frames came back, but none from the meter that was asked, or not of the kind asked for."""


class ReadoutBroken(MBusError):
    """A readout of several telegrams that did not come to its end: it is not a reading."""

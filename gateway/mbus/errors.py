"""What this package raises, for callers to act on. Bad octets are values, never an exception."""


class MbusError(Exception):
    """Base of every exception that leaves `gateway.mbus`: the problem, and what to do about it."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


class BadKey(MbusError):
    """The key given is no AES-128 key."""


class MeterSilent(MbusError):
    """Nothing came back in any attempt."""


class AnswerGarbled(MbusError):
    """Something came back, but in no attempt a whole frame: noise, or two meters at once."""


class WrongAnswer(MbusError):
    """Whole frames came back, but none from the meter that was asked, or not of the kind asked for."""


class ReadoutBroken(MbusError):
    """A readout of several telegrams that did not come to its end: it is not a reading."""

"""What this package raises, for callers to act on. Bad octets are values, never an exception."""


class ModbusError(Exception):
    """Base of every exception that leaves `gateway.modbus`: the problem, and what to do about it."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


class BadLink(ModbusError):
    """Text that names no Modbus link."""


class LinkLost(ModbusError):
    """The connection could not be made."""


class AskFailed(ModbusError):
    """This request brought no answer that can be trusted; another attempt may."""


class ConnectionDropped(AskFailed):
    """The other end closed the connection instead of answering."""


class MeterSilent(AskFailed):
    """Nothing came back from this unit in time."""


class AnswerGarbled(AskFailed):
    """Octets came back, but no whole frame."""


class WrongAnswer(AskFailed):
    """Whole frames came back, but none that answers this request; or one that may answer another."""


class Refused(ModbusError):
    """The device answered with an exception code."""

    def __init__(self, code: int, problem: str, *, remedy: str) -> None:
        super().__init__(problem, remedy=remedy)
        self.code = code

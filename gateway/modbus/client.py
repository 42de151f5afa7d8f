"""One master on one Modbus line: a question, and the one answer that fits it, or an error. Never a guess.

The only module that imports pymodbus. pymodbus carries the octets, but it hands any frame of the right unit
to whoever waits, so that a late answer becomes the next question's value. Its framer is therefore replaced
by ours, which lets through the answer to the question just asked and nothing else (frames, listener).

What remains is an answer that fits and yet is an older one's. On RTU a question is not put again while an
earlier one of the same shape may still be answered: the master hears the line out for as long as it had
waited, and connects anew if the answer never came (debts). A cancelled question closes the connection.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import partial
from typing import Final

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.framer import FramerBase, FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.transaction import TransactionManager

from gateway.modbus.debts import Debts
from gateway.modbus.frames import (
    MOST_REGISTERS,
    READ_INPUT,
    Answer,
    Framing,
    Misfit,
    Question,
    Refusal,
)
from gateway.modbus.link import Link, SerialLink, TcpLink
from gateway.modbus.listener import Listener, Verdict
from gateway.modbus.reasons import dropped, no_answer, not_connected, refused, two_answers, wrong_answer

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what happens on the line, our errors say

_CONNECT_PAUSES_S: Final = (0.0, 0.05, 0.15, 0.3)
"""A converter that serves one connection needs a moment to see that its last one was closed."""

_SETTLE_S: Final = 0.02
_LISTEN_S: Final = 0.005
_DEAF: Final = 2  # so many time-outs in a row without one octet: the connection is there on our side only
_NEVER: Final = 1_000_000_000
_MOST_OCTETS: Final = 1 << 16
_LAST_TRANSACTION: Final = 65_000  # pymodbus begins again after it

_Client = AsyncModbusTcpClient | AsyncModbusSerialClient


class ModbusClient:
    """The only master of a line. One question at a time; the caller sees to that.

    `timeout_s` is for a whole answer; None: what the link usually needs. Connects when it is first asked.
    """

    def __init__(self, link: Link, timeout_s: float | None = None) -> None:
        self.link, self._timeout_s = link, timeout_s
        self._client: _Client | None = None
        self._listener = Listener(link.framing)
        self._framer = _StrictFramer(link.framing, self._listener)
        self._debts = Debts(numbered=link.framing is Framing.TCP)
        self._connection = 0
        self._transaction = secrets.randbelow(_LAST_TRANSACTION)  # an earlier process began somewhere else
        self._unheard = self._fruitless = 0

    async def ask(self, question: Question) -> Answer:
        """Put one question and return the answer that fits it.

        Raises:
            AskFailed: no such answer came; another attempt may bring it.
            Refused: the device answered with an exception code.
            LinkLost: there is no connection.
        """
        doubts = self.doubts(question.unit)
        try:
            verdict = await self._put(await self._ready_for(question), question)
        except asyncio.CancelledError:
            self.close()
            raise
        self._unheard = self._fruitless = 0
        if isinstance(verdict, Refusal):
            raise refused(question, verdict.code)
        if isinstance(verdict, Misfit):
            raise wrong_answer(question, verdict.reason)
        if self.doubts(question.unit) != doubts:
            raise two_answers(question)
        return verdict

    def doubts(self, unit: int) -> int:
        """How many answers of this unit came that nobody waited for: one taken before may have been older."""
        return self._listener.doubts.get(unit, 0)

    def close(self) -> None:
        """Give the link back. The next question connects anew."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _put(self, client: _Client, question: Question) -> Verdict:
        timeout_s = self._timeout_s or self.link.answer_s(question.count)
        asked = asyncio.get_running_loop().time()
        framer, heard = self._framer, self._listener.octets
        framer.question = question
        client.ctx.comm_params.timeout_connect = timeout_s  # pymodbus has one time-out for both
        read = (
            client.read_input_registers if question.function == READ_INPUT else client.read_holding_registers
        )
        try:
            await read(question.address, count=question.count, device_id=question.unit)
        except asyncio.CancelledError:
            self._give_up(question, asked + timeout_s)
            raise
        except ConnectionException:
            self._give_up(question, asked + timeout_s)
            self._fruitless += self._listener.octets == 0
            self.close()
            raise dropped(self.link) from None
        except ModbusException:
            self._give_up(question, asked + 2 * timeout_s)
            self._unheard = self._unheard + 1 if self._listener.octets == heard else 0
            raise no_answer(question, self._listener) from None
        finally:
            self._transaction = client.ctx.next_tid
        if self._debts:
            until = asyncio.get_running_loop().time() + timeout_s
            self._debts.overtake(question.signature, until, self._connection)
        assert framer.verdict is not None  # pymodbus returns nothing but what the framer gave it
        return framer.verdict

    def _give_up(self, question: Question, until: float) -> None:
        self._listener.give_up()
        self._debts.add(question.signature, until, self._connection)

    async def _ready_for(self, question: Question) -> _Client:
        """A connection on which no answer can be taken for that to `question` but its own."""
        waited = bool(self._debts) and await self._settle_debts(question)
        if self._unheard >= _DEAF:
            self.close()
        if self._client is None or not self._client.connected:
            self.close()
            self._client = await self._connect()
        if self.link.framing is Framing.RTU:
            await self._hear_out(restless=waited)
        return self._client

    async def _settle_debts(self, question: Question) -> bool:
        """Wait for what may be taken for the answer to `question`; whether that was so."""
        signature, late, clock = question.signature, self._listener.late, asyncio.get_running_loop().time
        waited = False
        while self._debts.is_due(signature, late[signature], clock()):
            await asyncio.sleep(_LISTEN_S)
            waited = True
        if self._debts.settle(signature, late[signature], self._connection):
            self.close()
        return waited

    async def _hear_out(self, *, restless: bool) -> None:
        """Keep the silence between frames, and take what has arrived: it is older than the next question.

        A restless line is heard until it is quiet, but no longer than an answer may take.
        """
        await asyncio.sleep(self.link.silence_s)
        await asyncio.sleep(0)
        if not (restless or self._listener.is_restless):
            return
        clock = asyncio.get_running_loop().time
        latest, heard = clock() + self.link.answer_s(MOST_REGISTERS), -1
        while heard != self._listener.octets and clock() < latest:
            heard = self._listener.octets
            await asyncio.sleep(_SETTLE_S)

    async def _connect(self) -> _Client:
        clock = asyncio.get_running_loop().time
        begun, timeout_s = clock(), self._timeout_s or self.link.answer_s(0)
        for pause_s in _CONNECT_PAUSES_S[min(self._fruitless, 2) :]:
            await asyncio.sleep(pause_s * (0.75 + secrets.randbelow(51) / 100))
            client = _open(self.link, self._listener, self._framer, timeout_s)
            if await client.connect():
                client.ctx.next_tid = self._transaction
                self._connection += 1
                self._listener.connected()
                self._unheard = 0
                return client
            client.close()
            if clock() - begun >= timeout_s:
                break
        raise not_connected(self.link)


class _StrictFramer(FramerBase):
    """Stands where pymodbus cuts octets into frames: writes questions as it does, hears answers as we do."""

    def __init__(self, framing: Framing, listener: Listener) -> None:
        decoder = DecodePDU(False)
        super().__init__(decoder)
        self._writer = FramerRTU(decoder) if framing is Framing.RTU else FramerSocket(decoder)
        self._listener = listener
        self.question: Question | None = None
        self.verdict: Verdict | None = None

    def encode(self, payload: bytes, device_id: int, tid: int) -> bytes:
        self.verdict = None
        if self.question:
            self._listener.ask(self.question, tid)
        return self._writer.encode(payload, device_id, tid)

    def handleFrame(self, data: bytes, exp_devid: int, exp_tid: int) -> tuple[int, ModbusPDU | None]:
        verdict = self._listener.hear(data)
        if verdict is None:
            return len(data), None
        self.verdict = verdict
        return len(data), ModbusPDU(dev_id=exp_devid)


def _open(link: Link, listener: Listener, framer: _StrictFramer, timeout_s: float) -> _Client:
    """A client that asks once, never reconnects by itself, and parses with our framer."""
    client = _serial_client(link, timeout_s) if isinstance(link, SerialLink) else _tcp_client(link, timeout_s)
    client.ctx.framer = framer
    client.ctx.max_buffer_size = _MOST_OCTETS
    client.ctx.trace_connect = partial(_connection_changed, client.ctx, listener)
    client.set_max_no_responses(_NEVER)
    return client


def _tcp_client(link: TcpLink, timeout_s: float) -> AsyncModbusTcpClient:
    framer = FramerType.RTU if link.framing is Framing.RTU else FramerType.SOCKET
    return AsyncModbusTcpClient(
        link.host, port=link.port, framer=framer, timeout=timeout_s, retries=0, reconnect_delay=0
    )


def _serial_client(link: SerialLink, timeout_s: float) -> AsyncModbusSerialClient:
    return AsyncModbusSerialClient(
        link.device,
        baudrate=link.baud,
        parity=link.parity,
        stopbits=link.stop,
        timeout=timeout_s,
        retries=0,
        reconnect_delay=0,
    )


def _connection_changed(manager: TransactionManager, listener: Listener, connected: bool) -> None:
    """A connection that goes fails the open question at once; pymodbus would wait for its time-out."""
    if not connected and listener.waiting and not manager.response_future.done():
        manager.response_future.set_exception(ConnectionException("closed"))

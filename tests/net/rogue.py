"""An SNMP agent of ours with bad manners, for tests of the poller: any number of switches on one port of 127.0.0.0/8, each of
which may lie, break off, repeat itself or say nothing. v1 and v2c, only the standard library, no code of the product."""
import heapq
import socket
import struct
import threading
import time

GET, NEXT, RESPONSE, BULK = 0xa0, 0xa1, 0xa2, 0xa5
TOO_BIG, NO_SUCH_NAME, GEN_ERR = 1, 2, 5
IP_PKTINFO = 8
UPTIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
FDB = (1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1)


# ---- BER

def tlv(tag, body):
    n = len(body)
    head = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + head + body


def integer(v, tag=2):
    n = 1
    while not -(1 << (8 * n - 1)) <= v < 1 << (8 * n - 1):
        n += 1
    return tlv(tag, v.to_bytes(n, 'big', signed=True))


def oid(ids):
    out = bytearray([ids[0] * 40 + ids[1]])
    for v in ids[2:]:
        part = [v & 127]
        while v > 127:
            v >>= 7
            part.append(v & 127 | 128)
        out += bytes(reversed(part))
    return tlv(6, bytes(out))


def read(data, at):
    """(tag, body, where the next begins)"""
    tag, n, at = data[at], data[at + 1], at + 2
    if n & 128:
        more = n & 127
        n, at = int.from_bytes(data[at:at + more], 'big'), at + more
    return tag, data[at:at + n], at + n


def read_all(data):
    at = 0
    while at < len(data):
        tag, body, at = read(data, at)
        yield tag, body


def read_oid(body):
    ids, v = [body[0] // 40, body[0] % 40], 0
    for b in body[1:]:
        v = v << 7 | b & 127
        if not b & 128:
            ids.append(v)
            v = 0
    return tuple(ids)


def text(s):
    return tlv(4, s.encode() if isinstance(s, str) else s)


class Request:
    def __init__(self, data):
        (_, message), = read_all(data)
        (_, version), (_, self.community), (self.pdu, pdu) = read_all(message)
        self.version = version[-1]
        (_, i), (_, a), (_, b), (_, names) = read_all(pdu)
        self.id, self.a, self.b = (int.from_bytes(x, 'big', signed=True) for x in (i, a, b))
        self.oids = [read_oid(next(read_all(vb))[1]) for _, vb in read_all(names)]

    def reply(self, varbinds, error=0, index=0, version=None, community=None, reqid=None, pdu=RESPONSE):
        """varbinds: (OID, encoded value)"""
        body = b''.join(tlv(0x30, oid(o) + v) for o, v in varbinds)
        body = integer(self.id if reqid is None else reqid) + integer(error) + integer(index) + tlv(0x30, body)
        return tlv(0x30, integer(self.version if version is None else version) +
                   tlv(4, self.community if community is None else community) + tlv(pdu, body))

    def refuse(self, error, index=0):
        return self.reply([(o, tlv(5, b'')) for o in self.oids], error, index)


# ---- the tables of a small switch

CAMERA, OTHER = (0x44, 0x19, 0xb6), (0x00, 0x50, 0x56)


def mac_of(n, oui=CAMERA):
    return oui + (n >> 16 & 255, n >> 8 & 255, n & 255)


def tables(macs=range(1, 31), ports=4, extra=(), oui=CAMERA, ageing=300):
    """A switch with `ports` ports; each station at port 1 + n % ports, in VLAN 20."""
    t = {(1, 3, 6, 1, 2, 1, 1, 1, 0): text('a switch of the tests'), (1, 3, 6, 1, 2, 1, 1, 2, 0): oid((1, 3, 6, 1, 4, 1, 32473, 1)),
         (1, 3, 6, 1, 2, 1, 1, 5, 0): text('rogue'), (1, 3, 6, 1, 2, 1, 17, 1, 1, 0): text(bytes([2, 0, 0, 0, 0, 1])),
         (1, 3, 6, 1, 2, 1, 17, 4, 2, 0): integer(ageing), (1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 2, 1, 3, 0, 20): integer(20)}
    for p in range(1, ports + 1):
        i = 100 + p
        t.update({(1, 3, 6, 1, 2, 1, 2, 2, 1, 2, i): text(f'port {p}'), (1, 3, 6, 1, 2, 1, 2, 2, 1, 3, i): integer(6),
                  (1, 3, 6, 1, 2, 1, 2, 2, 1, 8, i): integer(1), (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, i): text(f'Gi1/0/{p}'),
                  (1, 3, 6, 1, 2, 1, 17, 1, 4, 1, 2, p): integer(i)})
    for n in macs:
        t[FDB + (2, 20) + mac_of(n, oui)] = integer(1 + n % ports)
        t[FDB + (3, 20) + mac_of(n, oui)] = integer(3)
    t.update(extra)
    return t


class Switch:
    """Answers well. The bad ones override answer(), or next()."""

    def __init__(self, mib=None, community=b'c', up_s=100000):
        self.community, self.started = community, time.monotonic() - up_s
        self.asked, self.flying, self.most_flying, self.pdus, self.ids = [], set(), 0, [], []
        self.set(mib if mib is not None else tables())

    def set(self, mib):
        mib = {**mib, UPTIME: None}
        self.mib, self.order = mib, sorted(mib)
        self.after = {o: self.order[i + 1] if i + 1 < len(self.order) else None for i, o in enumerate(self.order)}

    def uptime(self):
        return int((time.monotonic() - self.started) * 100)

    def value(self, o):
        return integer(self.uptime(), 0x43) if o == UPTIME else self.mib[o]

    def get(self, o):
        return (o, self.value(o)) if o in self.mib else (o, tlv(0x80, b''))

    def next(self, o):
        if o in self.after:
            n = self.after[o]
        else:
            low, high = 0, len(self.order)
            while low < high:
                mid = (low + high) // 2
                low, high = (mid + 1, high) if self.order[mid] <= o else (low, mid)
            n = self.order[low] if low < len(self.order) else None
        return (n, self.value(n)) if n is not None else (o, tlv(0x82, b''))

    def varbinds(self, q):
        if q.pdu == GET:
            return [self.get(o) for o in q.oids]
        out, at = [], list(q.oids)
        for _ in range(max(1, q.b) if q.pdu == BULK else 1):
            row = [self.next(o) for o in at]
            out += row
            at = [o for o, _ in row]
            if all(v[0] == 0x82 for _, v in row):
                break
        return out

    def answer(self, q):
        """Octets; or a list of (seconds later, octets, source address or None, another socket)."""
        if q.community != self.community:
            return []
        v = self.varbinds(q)
        if q.version == 0:
            bad = next((i for i, (_, x) in enumerate(v) if x[0] in (0x80, 0x82)), None)
            if bad is not None:
                return q.refuse(NO_SUCH_NAME, bad + 1)
        return q.reply(v)

    def take(self, data, now):
        q = Request(data)
        assert q.pdu in (GET, NEXT, BULK), f'P9: a PDU of type {q.pdu:#x}'
        self.asked.append(now)
        self.pdus.append(q.pdu)
        self.ids.append(q.id)
        self.flying.add(q.id)
        self.most_flying = max(self.most_flying, len(self.flying))
        a = self.answer(q)
        out = [(0, a, None, False)] if isinstance(a, bytes) else a
        return q.id, out


class Rogue:
    def __init__(self):
        self.socket, self.foreign = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(('0.0.0.0', 0))
        self.foreign.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.switches, self.later, self.serial, self.ending, self.failed = {}, [], 0, False, None
        self.lock = threading.Lock()
        self.open, self.most_open = set(), 0		# (address, request) answered later, over all switches
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def add(self, address, switch):
        with self.lock:
            self.switches[address] = switch
        return switch

    def close(self):
        self.ending = True
        self.thread.join(5)
        assert self.failed is None, self.failed

    def send(self, address, to, octets, source, foreign):
        if foreign:
            self.foreign.sendto(octets, to)
            return
        info = struct.pack('=I4s4s', 0, socket.inet_aton(source or address), b'\0\0\0\0')
        self.socket.sendmsg([octets], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, to)

    def run(self):
        try:
            while not self.ending:
                wait = 0.2
                if self.later:
                    wait = max(0.0, min(wait, self.later[0][0] - time.monotonic()))
                self.socket.settimeout(wait if wait > 0 else 0.0001)
                try:
                    data, control, _, to = self.socket.recvmsg(65536, 256)
                except (TimeoutError, BlockingIOError):
                    data = None
                with self.lock:
                    self.turn(data, control if data else None, to if data else None)
        except Exception as e:		# shown by close()
            self.failed = e

    def turn(self, data, control, to):
        now = time.monotonic()
        if data:
            address = next(socket.inet_ntoa(c[8:12]) for level, kind, c in control if kind == IP_PKTINFO)
            switch = self.switches.get(address)
            if switch is not None:
                reqid, out = switch.take(data, now)
                for delay, octets, source, foreign in out:
                    self.serial += 1
                    heapq.heappush(self.later, (now + delay, self.serial, address, switch, reqid, to, octets, source, foreign))
                if out:
                    self.open.add((address, reqid))
                    self.most_open = max(self.most_open, len(self.open))
        while self.later and self.later[0][0] <= now:
            _, _, address, switch, reqid, to, octets, source, foreign = heapq.heappop(self.later)
            switch.flying.discard(reqid)
            self.open.discard((address, reqid))
            self.send(address, to, octets, source, foreign)

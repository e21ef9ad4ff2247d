#!/usr/bin/env python3
"""tests/net/test_notify.py: our notifications against a real snmptrapd. Usage: test_notify.py NOTIFY_PEER SOURCE_DIR
Exit 77 (skip) where snmptrapd is not installed. Needs no privileges; ports are high, state is in a temporary folder."""
import hashlib, os, resource, select, shutil, socket, subprocess, sys, tempfile, threading, time

PEER, SOURCE = sys.argv[1], sys.argv[2]
OUR_ENGINE = "80001f8804c0ffee0123456789"
SECRET = "correct horse battery"
ROOT = ".1.3.6.1.4.1.8072.9999.9999.7162"
TRAPD = shutil.which("snmptrapd") or (os.path.exists("/usr/sbin/snmptrapd") and "/usr/sbin/snmptrapd")


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Trapd:
    """One snmptrapd of ours, with its own engine id, started `boots` times before."""
    def __init__(self, folder, port, engine, address="udp:127.0.0.1", boots=0):
        os.makedirs(folder)
        self.log, conf = os.path.join(folder, "log"), os.path.join(folder, "conf")
        with open(conf, "w") as f:
            f.write(f"engineID {engine}\nengineBoots {boots}\nauthCommunity log public\n")
            for user, auth, priv in ("alice", "SHA-256", "AES"), ("bob", "SHA-512", "AES-256"):
                f.write(f'createUser {user} {auth} "{SECRET}" {priv} "{SECRET}"\n'
                        f'createUser -e 0x{OUR_ENGINE} {user} {auth} "{SECRET}" {priv} "{SECRET}"\nauthUser log {user} priv\n')
        env = dict(os.environ, SNMP_PERSISTENT_DIR=folder, SNMPCONFPATH=folder, MIBS="")
        self.p = subprocess.Popen([TRAPD, "-f", "-Lf", self.log, "-C", "-c", conf, "-On", f"{address}:{port}"], env=env)
        for _ in range(100):
            if "NET-SNMP version" in self.text():
                break
            time.sleep(0.05)

    def text(self):
        return open(self.log, errors="replace").read() if os.path.exists(self.log) else ""

    def wait_for(self, text, count=1, seconds=5):
        end = time.time() + seconds
        while time.time() < end and self.text().count(text) < count:
            time.sleep(0.05)
        return self.text().count(text) >= count

    def stop(self):
        self.p.terminate()
        try:
            self.p.wait(5)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()


def peer(count, *targets, between=None, engine=OUR_ENGINE, boots=5, longest=False):
    """Rows of name, row, result, milliseconds, reason. With `between`: one round, then that, then two more rounds."""
    env = dict(os.environ, **({"LONGEST": "1"} if longest else {}))
    p = subprocess.Popen([PEER, engine, str(boots), str(count), *targets], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         env=env)
    lines = []
    try:
        if between:
            for _ in range(count * len(targets)):
                lines.append(p.stdout.readline())
            between()
            out, _ = p.communicate("go\n" * 2, 40)
        else:
            out, _ = p.communicate(timeout=40)
    except BaseException:
        p.kill()
        raise
    assert p.returncode == 0, p.returncode
    return [line.split(None, 4) for line in lines + out.splitlines()]


def acknowledged(trapd, port):
    rows = peer(3, f"v3,127.0.0.1,{port},inform3,{SECRET}", f"v3-512,127.0.0.1,{port},inform3-512,{SECRET},-,bob")
    assert [r[2] for r in rows] == ["acknowledged"] * 6, rows
    print("ok: v3 informs acknowledged, SHA-256 with AES-128 and SHA-512 with AES-256")


def traps(trapd, port):
    """v3 traps are ours to authenticate: our engine id, and boots that grow with each start of notify."""
    def told(rows, more):
        assert [r[2] for r in rows] == ["sent"] * len(rows), rows
        told.count += more
        assert trapd.wait_for(f"{ROOT}.0.1", told.count), trapd.text()
    told.count = trapd.text().count(f"{ROOT}.0.1")
    told(peer(1, f"trap3,127.0.0.1,{port},trap3,{SECRET}", f"trap2,127.0.0.1,{port},trap2c,public"), 2)
    told(peer(1, f"trap3,127.0.0.1,{port},trap3,{SECRET}", boots=6), 1)
    told(peer(1, f"trap3,127.0.0.1,{port},trap3,{SECRET}", boots=5), 0)    # as a replay would be
    told(peer(1, f"bob3,127.0.0.1,{port},trap3-512,{SECRET},-,bob", boots=7), 1)
    time.sleep(0.3)
    assert trapd.text().count(f"{ROOT}.0.1") == told.count, trapd.text()
    print("ok: v3 and v2c traps accepted, also after a restart; old boots are not")
    rows = peer(1, f"trap1,127.0.0.1,{port},trap1,public,127.0.0.3", f"inform1,127.0.0.1,{port},trap1,public")
    assert [r[2] for r in rows] == ["sent", "sent"], rows
    assert trapd.wait_for("TRAP, SNMP v1, community public", 2), trapd.text()
    text = trapd.text()
    v1 = text[text.index("TRAP, SNMP v1"):]
    assert f"{ROOT} Enterprise Specific Trap (1)" in v1 and f"{ROOT}.1.28.0 = " in v1 and "127.0.0.3 " in text, text
    print("ok: v1 traps accepted, with enterprise, number and the sender's address")


def lengths(trapd, port):
    """Contract: with all objects at their longest a notification stays under 1,400 octets."""
    sizes = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(5)
        at = wire.getsockname()[1]
        for kind, secret, user, engine in (("trap1", "public", "-", OUR_ENGINE), ("trap2c", "public", "-", OUR_ENGINE),
                                           ("trap2c", "c" * 255, "-", OUR_ENGINE), ("trap3", SECRET, "alice", OUR_ENGINE),
                                           ("trap3-512", "s" * 255, "u" * 32, "80" + "ab" * 31)):
            rows = peer(14, f"x,127.0.0.1,{at},{kind},{secret},-,{user}", engine=engine, longest=True)
            assert [r[2] for r in rows] == ["sent"] * 14, rows
            packets = [wire.recv(65535) for _ in range(14)]
            sizes[f"{kind}/{len(secret)}"] = max(map(len, packets))
    assert all(1250 < s < 1400 for s in sizes.values()), sizes
    rows = peer(14, f"v2c,127.0.0.1,{port},inform2c,public", f"v3,127.0.0.1,{port},inform3-512,{SECRET},-,bob", longest=True)
    assert [r[2] for r in rows] == ["acknowledged"] * 28, rows
    print("ok: the longest notifications on the wire:", sizes)


def addresses(trapd, port):
    """A name with several addresses, source addresses, IPv6."""
    rows = peer(1, f"two,::1+127.0.0.1,{port},inform2c,public", between=lambda: None)
    assert [r[2] for r in rows] == ["timed-out", "acknowledged", "acknowledged"], rows
    assert int(rows[0][3]) < 1000 and f"[::1]:{port}: nobody listens there" in rows[0][4], rows
    # Nobody at either: each is tried once, and then it waits. It must not go round and round.
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    rows = peer(1, f"none,::1+127.0.0.1,{free_port()},inform3,{SECRET}")
    assert rows[0][2] == "timed-out" and rows[0][4].endswith("nobody listens there"), rows
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 2
    print("ok: nobody at either address:", rows[0][4].strip())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hung:
        hung.bind(("127.0.0.2", port))
        rows = peer(1, f"two,127.0.0.2+127.0.0.1,{port},inform3,{SECRET}", between=lambda: None)
    assert [r[2] for r in rows] == ["timed-out", "acknowledged", "acknowledged"], rows
    print("ok: the next address is tried:", rows[0][4].strip())
    rows = peer(1, f"foreign,127.0.0.1,{port},inform2c,public,192.0.2.55", f"family,::1,{port},inform2c,public,127.0.0.1",
                f"ours,127.0.0.1,{port},inform2c,public,127.0.0.5")
    assert [(r[0], r[2]) for r in sorted(rows)] == [("family", "failed"), ("foreign", "failed"), ("ours", "acknowledged")], rows
    why = {r[0]: " ".join(r[4:]) for r in rows}
    assert "not an address of this machine" in why["foreign"] and "another family" in why["family"], why
    assert trapd.wait_for("UDP: [127.0.0.5]"), trapd.text()
    print("ok: source_address is used, and told where it cannot be")


def own_time_stays(trapd_of, traps, port):
    """Net-SNMP keeps engines' times in 23 chains and forgets a whole chain at once: that of a doubtful receiver may be ours too."""
    def chain(engine):
        return sum(hashlib.md5(engine).digest()[::4]) % 23
    ours = chain(bytes.fromhex(OUR_ENGINE))
    name = next(n for n in map(str, range(1000)) if chain(bytes.fromhex("80001f8804") + n.encode()) == ours)
    number, before = free_port(), traps.text().count(f"{ROOT}.0.1")
    beside = trapd_of("beside", number, name)
    rows = peer(1, f"wrong,127.0.0.1,{number},inform3,not the right secret", f"trap3,127.0.0.1,{port},trap3,{SECRET}", boots=9,
                between=lambda: None)
    assert [r[2] for r in rows if r[0] == "wrong"] == ["refused"] * 3, rows
    assert traps.wait_for(f"{ROOT}.0.1", before + 3), (name, traps.text()[-3000:])
    beside.stop()
    print("ok: traps keep our time while another engine is forgotten")


class Relay(threading.Thread):
    """Between our notify and one receiver; counts what goes there."""
    def __init__(self, to):
        super().__init__(daemon=True)
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "ab")
        self.count, self.over = 0, False
        self.front.bind(("127.0.0.1", 0))
        self.back.connect(("127.0.0.1", to))
        self.port = self.front.getsockname()[1]
        self.start()

    def run(self):
        whom = None
        while not self.over:
            for s in select.select([self.front, self.back], [], [], 0.1)[0]:
                if s is self.front:
                    data, whom = s.recvfrom(65535)
                    self.count += 1
                    self.back.send(data)
                else:
                    self.front.sendto(s.recv(65535), whom)
        self.front.close()
        self.back.close()


def others_time_stays(trapd_of):
    """... or another receiver's: its next inform would be for nothing, and be sent again."""
    chain = lambda engine: sum(hashlib.md5(engine).digest()[::4]) % 23
    one, two = [n for n in map(str, range(1000)) if chain(bytes.fromhex("80001f8804") + n.encode()) == 11][:2]
    numbers = free_port(), free_port()
    receivers = [trapd_of("chain" + e, n, e) for e, n in zip((one, two), numbers)]
    relay, first = Relay(numbers[1]), []
    rows = peer(1, f"wrong,127.0.0.1,{numbers[0]},inform3,not the right secret", f"well,127.0.0.1,{relay.port},inform3,{SECRET}",
                between=lambda: first.append(relay.count))
    relay.over = True
    relay.join()
    for r in receivers:
        r.stop()
    assert [r[2] for r in rows if r[0] == "wrong"] == ["refused"] * 3 and [r[2] for r in rows if r[0] == "well"] == ["acknowledged"] * 3, rows
    assert relay.count - first[0] == 2, (first, relay.count)       # one datagram for each of two informs
    print("ok: another receiver's engine is not forgotten with one in its chain")


def liar():
    """Whoever answers each message with a Report of yet another engine id makes each inform be sent twice, not for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(0.5)
        asked, informs, told = 0, 0, []
        p = threading.Thread(target=lambda: told.extend(peer(1, f"liar,127.0.0.1,{wire.getsockname()[1]},inform3,{SECRET}")))
        p.start()
        while p.is_alive():
            try:
                message, whom = wire.recvfrom(65535)
            except TimeoutError:
                continue
            informs += b"alice" in message        # the discovery has no user
            asked += 1
            wire.sendto(report(message, bytes.fromhex("8000000001") + bytes([asked, 0])), whom)
        p.join()
    assert informs == 2 and asked == 4 and told[0][2] == "refused", (informs, asked, told)
    print("ok: a receiver with ever new engine ids gets an inform twice:", told[0][4].strip())


def ber(tag, *parts):
    body = b"".join(parts)
    return bytes([tag, len(body)]) + body if len(body) < 128 else bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body


def report(message, engine):
    """usmStatsUnknownEngineIDs in answer to a message: its msgID stands behind the version and the header's SEQUENCE."""
    at = message.index(b"\x02\x01\x03") + 5
    msg_id = message[at:at + 2 + message[at + 1]]
    zero = b"\x02\x01\x00"
    return ber(0x30, b"\x02\x01\x03", ber(0x30, msg_id, b"\x02\x03\x00\xff\xe3", b"\x04\x01\x00", b"\x02\x01\x03"),
               ber(4, ber(0x30, ber(4, engine), b"\x02\x01\x01", b"\x02\x01\x01", b"\x04\x00" * 3)),
               ber(0x30, ber(4, engine), b"\x04\x00", ber(0xa8, zero, zero, zero,
                   ber(0x30, ber(0x30, bytes.fromhex("060a2b060106030f01010400"), b"\x41\x01\x01")))))


def main():
    if not TRAPD:
        print("snmptrapd is not installed: skipped")
        return 77
    folder = tempfile.mkdtemp(prefix="camtrapd-notify-")
    port = free_port()
    started = []
    def trapd(name, number, engine, address="udp:127.0.0.1", boots=0):
        started.append(Trapd(os.path.join(folder, name), number, engine, address, boots))
        return started[-1]
    try:
        t = trapd("a", port, "one")
        rows = peer(1, f"v2c,127.0.0.1,{port},inform2c,public")
        assert [r[2] for r in rows] == ["acknowledged"], rows
        assert t.wait_for(f"{ROOT}.0.1"), t.text()
        last = 0        # the objects in their order
        for n in range(1, 29):
            at = t.text().find(f"{ROOT}.1.{n}.0 = ")
            assert at > last, (n, t.text())
            last = at
        print("ok: v2c inform acknowledged, 28 objects in order")

        acknowledged(t, port)
        traps(t, port)
        lengths(t, port)
        addresses(t, port)
        number6 = free_port()
        six = trapd("six", number6, "six", "udp6:[::1]")
        rows = peer(1, f"v2c,::1,{number6},inform2c,public,::1", f"v3,::1,{number6},inform3,{SECRET}")
        assert [r[2] for r in rows] == ["acknowledged"] * 2, rows
        print("ok: informs over IPv6")
        six.stop()

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.bind(("127.0.0.1", 0))
            wire.settimeout(5)
            peer(1, f"wire,127.0.0.1,{wire.getsockname()[1]},trap3,{SECRET}")
            packet = wire.recv(65535)
        assert bytes.fromhex(OUR_ENGINE) + b"\x02\x01\x05" in packet and len(packet) < 1400, packet.hex()
        print("ok: v3 trap carries our engine id and boots")

        before = t.text().count(f"{ROOT}.0.1")
        rows = peer(1, f"wrong,127.0.0.1,{port},inform3,not the right secret")
        assert rows[0][2] == "refused" and "wrong digest" in rows[0][4], rows
        assert t.text().count(f"{ROOT}.0.1") == before
        print("ok: wrong secret refused, with its reason:", rows[0][4])
        # The same user at the same engine with another secret: each receiver has its own keys.
        rows = peer(2, f"wrong,127.0.0.1,{port},inform3,not the right secret", f"nobody,127.0.0.1,{port},inform3,{SECRET},-,mallory",
                    f"good,127.0.0.1,{port},inform3,{SECRET}")
        results = {r[0]: (r[2], " ".join(r[4:]).strip()) for r in rows}
        assert results["nobody"] == ("refused", "unknown user name") and results["good"][0] == "acknowledged", rows
        assert results["wrong"][0] == "refused" and "wrong digest" in results["wrong"][1], rows
        assert all(int(r[3]) < 1000 for r in rows), rows
        print("ok: unknown user refused, the good one beside it served")

        own_time_stays(trapd, t, port)
        others_time_stays(trapd)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hung:
            hung.bind(("127.0.0.1", 0))         # takes all, answers nothing
            silent = hung.getsockname()[1]
            begun = time.time()
            rows = peer(5, f"hung3,127.0.0.1,{silent},inform3,{SECRET}", f"hung2,127.0.0.1,{silent},inform2c,public",
                        f"good,127.0.0.1,{port},inform3,{SECRET}")
            took = time.time() - begun
            assert all(r[2] == "acknowledged" and int(r[3]) < 1000 for r in rows if r[0] == "good"), rows
            assert [r[0] for r in rows[:5]] == ["good"] * 5, rows
            assert all(r[2] == "timed-out" for r in rows if r[0] != "good") and len(rows) == 15, rows
            assert 4.5 < took < 9, took
            print("ok: hung receivers time out, the other is served at once")

            rows = peer(300, f"hung2,127.0.0.1,{silent},inform2c,public")
            assert [r[2] for r in rows].count("timed-out") == 256 and len(rows) == 300, rows
            assert all(r[2] == "failed" and "too many" in r[4] for r in rows[:44]), rows[:44]
        print("ok: a hung receiver holds 256 notifications, not more")

        rows = peer(1, f"dead,127.0.0.1,{free_port()},inform2c,public")
        assert rows[0][2] == "timed-out", rows
        print("ok: nobody listens there: timed out")

        def another():
            started[0].stop()
            trapd("another", port, "another", boots=7)
        # The receiver is replaced: the engine id differs. It says so, the new engine is found at once, and nothing is lost.
        rows = peer(3, f"new,127.0.0.1,{port},inform3,{SECRET}", f"bob,127.0.0.1,{port},inform3-512,{SECRET},-,bob", between=another)
        assert [r[2] for r in rows] == ["acknowledged"] * 18 and all(int(r[3]) < 1000 for r in rows), rows
        assert started[-1].wait_for(f"{ROOT}.0.1", 12) and started[-1].text().count(f"{ROOT}.0.1") == 12, started[-1].text()
        print("ok: receiver with another engine is told at once, and each once")
        liar()
        # The same engine, but what it remembered is gone: its boots go back, which looks like a replay.
        def wiped():
            started[-1].stop()
            trapd("wiped", port, "another")
        rows = peer(1, f"new,127.0.0.1,{port},inform3,{SECRET}", between=wiped)
        assert [r[2] for r in rows][::2] == ["acknowledged"] * 2, rows
        print("ok: receiver whose boots went back:", rows[1][2:])
        return 0
    finally:
        for x in started:
            if x.p.poll() is None:
                x.stop()
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())

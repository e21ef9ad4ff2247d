#!/usr/bin/env python3
"""tests/net/test_notify.py: our notifications against a real snmptrapd. Usage: test_notify.py NOTIFY_PEER SOURCE_DIR
Exit 77 (skip) where snmptrapd is not installed. Needs no privileges; ports are high, state is in a temporary folder."""
import os, shutil, socket, subprocess, sys, tempfile, time

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
    """One snmptrapd of ours, with its own engine id."""
    def __init__(self, folder, port, engine, address="127.0.0.1"):
        os.makedirs(folder)
        self.log, conf = os.path.join(folder, "log"), os.path.join(folder, "conf")
        with open(conf, "w") as f:
            f.write(f"engineID {engine}\nauthCommunity log public\n"
                    f'createUser alice SHA-256 "{SECRET}" AES "{SECRET}"\n'
                    f'createUser -e 0x{OUR_ENGINE} alice SHA-256 "{SECRET}" AES "{SECRET}"\nauthUser log alice priv\n')
        env = dict(os.environ, SNMP_PERSISTENT_DIR=folder, SNMPCONFPATH=folder, MIBS="")
        self.p = subprocess.Popen([TRAPD, "-f", "-Lf", self.log, "-C", "-c", conf, "-On", f"udp:{address}:{port}"], env=env)
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


def peer(count, *targets, between=None):
    p = subprocess.Popen([PEER, OUR_ENGINE, "5", str(count), *targets], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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


def main():
    if not TRAPD:
        print("snmptrapd is not installed: skipped")
        return 77
    folder = tempfile.mkdtemp(prefix="camtrapd-notify-")
    port = free_port()
    started = []
    def trapd(name, number, engine, address="127.0.0.1"):
        started.append(Trapd(os.path.join(folder, name), number, engine, address))
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

        rows = peer(3, f"v3,127.0.0.1,{port},inform3,{SECRET}")
        assert [r[2] for r in rows] == ["acknowledged"] * 3, rows
        print("ok: v3 authPriv informs acknowledged")

        before = t.text().count(f"{ROOT}.0.1")
        rows = peer(1, f"trap3,127.0.0.1,{port},trap3,{SECRET}", f"trap2,127.0.0.1,{port},trap2c,public")
        assert [r[2] for r in rows] == ["sent", "sent"], rows
        assert t.wait_for(f"{ROOT}.0.1", before + 2), t.text()
        print("ok: v3 and v2c traps accepted")

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

        rows = peer(1, f"dead,127.0.0.1,{free_port()},inform2c,public")
        assert rows[0][2] == "timed-out", rows
        print("ok: nobody listens there: timed out")

        def another():
            t.stop()
            trapd("b", port, "another")
        # The receiver is replaced: the engine id differs. The first inform to it is lost, the next finds the new engine.
        rows = peer(1, f"new,127.0.0.1,{port},inform3,{SECRET}", between=another)

        assert [r[2] for r in rows][::2] == ["acknowledged"] * 2 and rows[1][2] in ("timed-out", "refused"), rows
        print("ok: receiver with another engine:", rows[1][2:])
        return 0
    finally:
        for x in started:
            if x.p.poll() is None:
                x.stop()
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())

#!/usr/bin/env python3
"""What camtrapd costs, beside a bare loop that fetches the same tables and throws them away. Figures are ratios of one run, taken
in turn; CPU is what the kernel's scheduler accounts to all processes of the daemon.

    bench.py BUILD [--keep FILE] [SCENARIO...]

Scenarios: sweep (1,000 switches), v3 (2,000), loss (1,000 with 5 % dead and 1 % of questions lost), growth (100, 1,000 and 10,000),
plug (a camera found by the sweep alone). Without one: sweep, v3, loss, plug. Exit 1 when a bar is missed."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'net'))
from lab import Lab, Trapd		# noqa: E402

ROUNDS = 5
EXTRA_PDUS, EXTRA_VARBINDS = 2, 4	# per switch and poll: which credential works, and whether it has restarted meanwhile
HOSTS, PORTS = 60, 48
results, missed = {}, []


def say(what, value, bar=None, unit=''):
    ok = bar is None or value <= bar
    results[what] = round(value, 3)
    print(f'{what:<62} {value:>10.2f}{unit:<4}' + (f' (at most {bar:g}: {"kept" if ok else "MISSED"})' if bar is not None else ''), flush=True)
    if not ok:
        missed.append(what)


def family(pid):
    out = [pid]
    for child in open(f'/proc/{pid}/task/{pid}/children').read().split():
        out += family(int(child))
    return out


class Agent:
    """The daemon's processes, as the kernel sees them."""

    def __init__(self, lab, noc):
        self.lab, self.noc, self.pid = lab, noc, lab.processes['camtrapd'].pid

    def cpu_ms(self):
        return sum(int(open(f'/proc/{p}/schedstat').read().split()[0]) for p in family(self.pid)) / 1e6

    def memory_mb(self, key='Pss'):
        file, pattern = ('smaps_rollup', r'^Pss:\s+(\d+)') if key == 'Pss' else ('status', r'^VmHWM:\s+(\d+)')
        return sum(int(re.search(pattern, open(f'/proc/{p}/{file}').read(), re.M).group(1)) for p in family(self.pid)) / 1024

    def transactions(self):
        return self.lab.ctl('status')['counters']['transactions']

    def poll_all(self):
        """Every switch as fast as the daemon can: CPU, milliseconds, what the campus was asked."""
        before, cpu = self.asked(), self.cpu_ms()
        doc = self.lab.ctl('poll', '--all', status=None, timeout=120)
        cpu, after = self.cpu_ms() - cpu, self.asked()
        return {'cpu': cpu, 'wall': doc['milliseconds'], 'states': doc['states'], 'pdus': after['requests'] - before['requests'],
                'varbinds': after['varbinds'] - before['varbinds']}

    def asked(self):
        return json.loads(self.lab.do('counters')[0])


def bare(lab, n, sweeps=1):
    p = subprocess.run([os.path.join(lab.build, 'tests', 'bench', 'bare'), '--port', str(lab.campus_port), '--switches', str(n), '--sweeps',
                        str(sweeps)], capture_output=True, text=True, timeout=300)
    assert p.returncode == 0, p.stderr
    return [json.loads(x) for x in p.stdout.splitlines()]


def begin(lab, n, interval, *options, hosts=HOSTS):
    """A campus and a daemon that has swept it once: the agent, and the CPU that took."""
    noc = Trapd(lab, 'noc')
    text = lab.campus('--seconds', '3000', *options, switches=n, hosts=hosts, ports=PORTS, cameras=20)
    lab.configure(text + f'switch_defaults = {{ poll_interval = "{interval}s"; }};\n', [lab.receiver(noc)] if '--v3-user' not in options else [])
    lab.camtrapd()
    lab.wait(lab.swept, 300, 'no first sweep')
    agent = Agent(lab, noc)
    return agent, agent.cpu_ms()


def settled(lab, agent):
    """Until what the first sweep left behind is done: two looks in a row with nothing written."""
    def quiet():
        before = agent.transactions()
        time.sleep(1.5)
        return agent.transactions() == before
    lab.wait(quiet, 120, 'the daemon does not come to rest')


def sweep(build, n=1000):
    with Lab(build) as lab:			# six processes, their libraries and the registry: whatever there is to poll
        start_cpu = begin(lab, 1, 600)[1]
    with Lab(build) as lab:
        agent, first_cpu = begin(lab, n, 600)
        settled(lab, agent)
        first = bare(lab, n)[0]
        say(f'first sweep of {n}: CPU / bare loop', first_cpu / first['cpuMs'], 2)
        say('of it what a start for 1 switch costs', start_cpu / first['cpuMs'], None)
        transactions = agent.transactions()
        loops, polls = [], []
        for _ in range(ROUNDS):
            loops.append(bare(lab, n, 2)[1])	# its second sweep: the switches' limits are known by then
            polls.append(agent.poll_all())
        pdus, varbinds = loops[0]['pdus'], loops[0]['varbinds']
        assert all(p['states'] == {'ok': n} for p in polls), polls
        # A round in which some switch's own time came as well is none; in the others each question has its twin.
        pairs = [(p, x) for p, x in zip(polls, loops) if (p['pdus'], p['varbinds']) == (pdus + EXTRA_PDUS * n, varbinds + EXTRA_VARBINDS * n)]
        assert len(pairs) * 2 > ROUNDS, (pdus, varbinds, polls)
        polls, loops = [p for p, _ in pairs], [x for _, x in pairs]
        print(f'per switch: {pdus / n:.1f} requests, {varbinds / n:.0f} objects; bare loop {statistics.median(x["cpuMs"] for x in loops):.0f} ms CPU, '
              f'{statistics.median(x["wallMs"] for x in loops):.0f} ms; camtrapd {statistics.median(p["cpu"] for p in polls):.0f} ms CPU, '
              f'{statistics.median(p["wall"] for p in polls):.0f} ms')
        say(f'sweep of {n}, nothing changed: CPU / bare loop', statistics.median(p['cpu'] / x['cpuMs'] for p, x in zip(polls, loops)), 1.5)
        say(f'sweep of {n}, asked for: time / bare loop', statistics.median(p['wall'] / x['wallMs'] for p, x in zip(polls, loops)), 2)
        say(f'database transactions in {ROUNDS} sweeps', agent.transactions() - transactions, 1)	# a heartbeat may fall among them
        time.sleep(35)				# the processes give back what they do not need
        say(f'memory of {n} switches, all processes (PSS)', agent.memory_mb(), 60, ' MB')
        say('peak memory, summed over processes (RSS)', agent.memory_mb('VmHWM'), None, ' MB')
    with Lab(build) as lab:			# as the configured interval spreads it
        agent, _ = begin(lab, n, 10)
        settled(lab, agent)
        shares = []
        for _ in range(3):
            cpu, asked = agent.cpu_ms(), agent.asked()['requests']
            time.sleep(10)
            cpu, asked = agent.cpu_ms() - cpu, agent.asked()['requests'] - asked
            loop = bare(lab, n, 2)[1]
            shares.append(cpu / asked / (loop['cpuMs'] / loop['pdus']))
        say(f'sweep of {n} spread over 10 s: CPU per request / bare loop', statistics.median(shares), 1.5)


def v3(build, n=2000):
    cpu = {}
    for name, options in (('v2c', ()), ('v3', ('--v3-user', 'monitor'))):
        with Lab(build) as lab:
            agent, _ = begin(lab, n, 600, *options)
            settled(lab, agent)
            polls = [agent.poll_all() for _ in range(3)]
            assert all(p['states'] == {'ok': n} for p in polls), polls
            cpu[name] = statistics.median(p['cpu'] for p in polls)
    say(f'{n} switches by v3 authPriv (SHA-256, AES-128): CPU / v2c', cpu['v3'] / cpu['v2c'], 3)


def loss(build, n=1000):
    with Lab(build) as lab:
        agent, _ = begin(lab, n, 600)
        settled(lab, agent)
        clean = min(agent.poll_all()['wall'] for _ in range(3))
        rows = {s['name']: s['fdbRows'] for s in lab.ctl('switches')['switches']}
        dead = [s['name'] for s in map(json.loads, lab.do('switches'))][::20]
        for name in dead:
            lab.do(f'dead {name}')
        lab.do('loss all 1')
        start = time.monotonic()
        asked = time.time()
        lab.ctl('poll', '--all', status=None, timeout=120)
        took = (time.monotonic() - start) * 1000
        now = {s['name']: s for s in lab.ctl('switches')['switches']}
        live = [s for name, s in now.items() if name not in dead]
        late = [s['name'] for s in live if s['state'] != 'ok']
        lost = [s['name'] for s in live if s['fdbRows'] != rows[s['name']]]
        ends = sorted(s['lastPoll'] for s in live)
        last = (time.mktime(time.strptime(ends[-1][:19], '%Y-%m-%dT%H:%M:%S')) - time.timezone + float('0' + ends[-1][19:-1] if '.' in ends[-1] else 0) - asked)
        print(f'clean {clean} ms; with loss: the last live switch after {last * 1000:.0f} ms, everything after {took:.0f} ms')
        say(f'{n} switches, 5 % dead, 1 % lost: last live one / clean sweep', last * 1000 / clean, 3.5)
        say('live switches that did not finish', len(late), 0)
        say('live switches that lost rows', len(lost), 0)


def growth(build, sizes=(100, 1000, 10000)):
    per = {}
    for n in sizes:
        with Lab(build) as lab:
            agent, _ = begin(lab, n, 600, hosts=110 if n == 10000 else HOSTS)	# a million stations on 9,200 access switches
            settled(lab, agent)
            polls = [agent.poll_all() for _ in range(3)]
            asked = statistics.median(p['varbinds'] for p in polls)
            per[n] = statistics.median(p['cpu'] for p in polls) / asked
            print(f'{n} switches: {per[n] * 1e3:.3f} us CPU per object, {asked / n:.0f} objects and {per[n] * asked / n:.2f} ms a switch, '
                  f'{lab.ctl("status")["stations"]} stations')
            if n == 10000:
                time.sleep(35)
                say(f'memory of {n} switches, all processes (PSS)', agent.memory_mb(), 300, ' MB')
    for small, large in zip(sizes, sizes[1:]):
        say(f'growth from {small} to {large}: CPU per object', per[large] / per[small], 1.2)


def plug(build, n=200, interval=10, times=5):
    with Lab(build) as lab:
        agent, _ = begin(lab, n, interval)
        worst = 0
        for i in range(times):
            mac = f'44:19:b6:ee:00:{i:02x}'
            lab.do(f'plug acc-{i * 17 + 3:03d} 2 {mac} vlan 20')
            start = time.monotonic()
            lab.wait(lambda: [e for e in agent.noc.events('deviceDetected') if e['deviceMac'] == mac], interval + 20, 'not found')
            worst = max(worst, time.monotonic() - start)
            time.sleep(1.3)
        say(f'a camera found by the sweep of {interval} s alone: the slowest of {times}', worst, interval + 1, ' s')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('build')
    p.add_argument('scenarios', nargs='*')
    p.add_argument('--keep', help='file that gets the figures; those in it are shown beside the new ones')
    a = p.parse_args()
    for name in a.scenarios or ['sweep', 'v3', 'loss', 'plug']:
        print(f'-- {name}')
        {'sweep': sweep, 'v3': v3, 'loss': loss, 'growth': growth, 'plug': plug}[name](a.build)
    if a.keep:
        old = json.load(open(a.keep)) if os.path.exists(a.keep) else {}
        for what, value in results.items():
            if what in old:
                print(f'{what:<62} was {old[what]:>10.2f}, is {value:>10.2f}')
        with open(a.keep, 'w') as f:
            json.dump({**old, **results}, f, indent=1, sort_keys=True)
            f.write('\n')
    print('missed: ' + ('nothing' if not missed else '; '.join(missed)))
    return 1 if missed else 0


sys.exit(main())

#!/usr/bin/env python3
"""check_camtrapd against the real daemon on the emulated campus: each mode in each state, filters, wrong arguments; the daemon
that is stopped, hangs, is at its beginning, or may not be asked. Q5, D1, D2."""
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time

from lab import SOURCE, Lab, Trapd, same

MODES = ('alive', 'present', 'new', 'staleness', 'outbox')
WORDS = ('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')
# Promise D2: these and no others, whatever devices are called.
PERFDATA = {'alive': 'processes_down restarts state_age uptime switches', 'present': 'devices open acknowledged waived stale',
            'new': 'new gone', 'staleness': 'stale unreachable auth_failed incomplete never switches oldest',
            'outbox': 'queued oldest receivers_down in_flight delivered timed_out refused expired'}
RANGE = r'@?((~|-?[\d.]+)?:)?(-?[\d.]+)?'
PATIENT = ('--cycles', '30')		# where old state is not what is tested: other tests may keep the machine busy
CAMERA = '44:19:b6:aa:00:01'


def run(lab, *words, **kw):
    p = subprocess.run([lab.tool_for_all('check_camtrapd') if 'user' in kw else lab.tool('check_camtrapd'), *words], capture_output=True, text=True, timeout=60, **kw)
    assert p.stderr == '', p.stderr
    return p


def check(lab, mode, *words, where=None, **kw):
    """(exit code, first line, further lines) of a check, whose form is as the Monitoring Plugins want it."""
    p = run(lab, '--mode', mode, *(where or ('--config', lab.conf)), *words, **kw)
    lines = p.stdout.splitlines()
    text, bar, perfdata = lines[0].partition(' | ')
    assert text.startswith(f'CAMTRAPD {WORDS[p.returncode]}: '), (mode, words, p.returncode, p.stdout)
    assert len(text.encode()) < 200 and len(p.stdout.encode()) < 4096 and '|' not in text + perfdata + ''.join(lines[1:]), p.stdout
    assert not re.search('[`$<>&\'"\\\\\0-\x1f\x7f]', ''.join(lines)), p.stdout
    names = [re.fullmatch(rf'([a-z_]+)=\d+[sc]?(;{RANGE}(;{RANGE}(;0)?)?)?', x).group(1) for x in perfdata.split()]
    assert not bar or set(names) <= set(PERFDATA[mode].split()), names
    return p.returncode, lines[0], lines[1:]


def until(lab, code, says, mode, *words, seconds=20):
    """The check comes to this state and says this."""
    last = []

    def there():
        last[:] = check(lab, mode, *words)
        return last[0] == code and says in last[1]
    try:
        lab.wait(there, seconds, f'{mode} {words} is not {WORDS[code]}')
    except AssertionError:
        print('last:', last)
        raise
    print('ok:', last[1])
    return last


def arguments(lab):
    """Whatever is wrong with them is UNKNOWN, on standard output, before anybody is asked."""
    for words in (['--no-such'], ['-x'], ['-w'], ['--mode'], ['--mode', 'no-such'], [], ['present'], ['--mode', 'present', 'x'], ['-m', 'present', '-w', 'x'],
                  ['-m', 'present', '-c', '20:10'], ['-m', 'present', '-w', '', '-c', '5'], ['-m', 'alive', '--site', 'hq'], ['-m', 'present', '--since', '1h'],
                  ['-m', 'new', '--since', 'yesterday'], ['-m', 'new', '--since', '0s'], ['-m', 'present', '--site', ''], ['-m', 'alive', '-t', '0'],
                  ['-m', 'alive', '-t', '5:bad'], ['-m', 'alive', '-t', 'x'], ['-m', 'present', '--cycles', '0'], ['-m', 'outbox', '--cycles', '2'],
                  ['-m', 'alive', '--warning-age', '5'], ['-m', 'alive', '--verbose=3'], ['-m', 'alive', '--socket', 'x' * 200],
                  ['-m', 'alive', '--socket', 'a', '--config', 'b'], ['-m', 'alive', '--config', os.path.join(lab.dir, 'none.conf')]):
        p = run(lab, *words)
        assert p.returncode == 3 and p.stdout.startswith('CAMTRAPD UNKNOWN: '), (words, p)
        assert p.stdout.count('\n') == 1, (words, p.stdout)
    for words, says in ((['-V'], 'check_camtrapd '), (['-h'], 'usage: check_camtrapd'), (['--mode', 'list'], 'staleness')):
        p = run(lab, *words)
        assert p.returncode == 3 and says in p.stdout, (words, p)
    p = run(lab, '-m', 'alive', '--socket', '|x\n`y`<b>')
    assert p.returncode == 2 and p.stdout.count('\n') == 1 and not re.search('[|`<]', p.stdout), p
    print('ok: wrong arguments are UNKNOWN')


def no_daemon(lab, why):
    same(f'{why}: alive is CRITICAL, others UNKNOWN', [check(lab, m)[0] for m in MODES], [2, 3, 3, 3, 3])


def content(lab):
    """Nothing is wrong, and thresholds of one's own."""
    until(lab, 0, 'last poll', 'alive', *PATIENT, seconds=30)
    until(lab, 0, 'no restricted device is present (6 switches)', 'present', *PATIENT)
    until(lab, 0, 'no new restricted device within 1 d', 'new', *PATIENT)
    until(lab, 0, '6 switches polled completely', 'staleness', *PATIENT)
    until(lab, 0, 'nothing waits for 1 receiver', 'outbox')
    for mode in MODES:
        same(f'names of {mode}', [x.partition('=')[0] for x in check(lab, mode)[1].partition(' | ')[2].split()], PERFDATA[mode].split())
    for mode in MODES[1:]:
        same(f'{mode} as the thresholds say', [check(lab, mode, *x, *(PATIENT if mode != 'outbox' else ()))[0] for x in (('-w', '1:', '-c', '~:'), ('-c', '1:'), ('-w', '~:5', '-c', '~:5'))],
             [1, 2, 0])
    same('alive as the thresholds say', [check(lab, 'alive', *x)[0] for x in (('-w', '@~:', '-c', '~:'), ('-c', '@~:'))], [1, 2])
    same('no such switch or site', [check(lab, 'present', *x)[0] for x in (('--switch', 'nope'), ('--site', 'nope'))] +
         [check(lab, 'staleness', *x)[0] for x in (('--switch', 'nope'), ('--site', 'nope'))], [3, 3, 3, 3])


def cameras(lab):
    lab.do(f'plug acc-002 9 {CAMERA} vlan 20 ip 10.20.0.77 lldp |present=0 <b>`id`$(id)')
    until(lab, 2, f'1 restricted device present, 1 open (6 switches): {CAMERA} Hikvision at acc-002 Gi1/0/9', 'present')
    until(lab, 2, f'1 new restricted device within 1 d (6 switches): {CAMERA} Hikvision at acc-002 Gi1/0/9', 'new')
    same('thresholds', [check(lab, m, '-w', '0', '-c', '5', *PATIENT)[0] for m in ('present', 'new')], [1, 1])
    here = [('--switch', 'acc-002'), ('--site', 'hq'), ('--site', 'depot'), ('--vendor', 'hikVISION')]
    site = lab.ctl('switches', 'acc-002')['switches'][0]['site']
    same('filters', [check(lab, 'present', *PATIENT, *x)[0] for x in here + [('--switch', 'acc-001'), ('--vendor', 'Dahua')]],
         [2, 2 if site == 'hq' else 0, 2 if site == 'depot' else 0, 2, 0, 0])
    code, _, lines = check(lab, 'present', '-v')
    same('details', (code, len(lines), f'{CAMERA} Hikvision at acc-002 Gi1/0/9, site {site}: ' in lines[0], 'open, new, present for' in lines[0],
                     '10.20.0.77' in lines[0]), (2, 1, True, True, True))
    until(lab, 0, 'new=0', 'new', '--since', '2s', *PATIENT)
    lab.do(f'unplug {CAMERA}')


def outbox(lab, noc):
    noc.process.send_signal(signal.SIGSTOP)
    lab.do('plug acc-001 9 44:19:b6:aa:00:02 vlan 20')
    until(lab, 1, 'noc does not acknowledge', 'outbox', '--warning-age', '~:', '--critical-age', '~:')
    until(lab, 2, 'the oldest for', 'outbox', '--critical-age', '1')
    same('details', check(lab, 'outbox', '-v')[2][0].startswith('noc: inform, down, '), True)
    noc.process.send_signal(signal.SIGCONT)
    until(lab, 0, 'nothing waits', 'outbox', seconds=30)


def reload(lab):
    """A configuration that is refused; where the daemon is, is found in it all the same."""
    text = open(lab.conf).read()
    with open(lab.conf, 'a') as f:
        f.write('no_such_key = 1;\n')
    lab.processes['camtrapd'].send_signal(signal.SIGHUP)
    until(lab, 1, 'configuration is refused', 'alive', *PATIENT)
    with open(lab.conf, 'w') as f:
        f.write(text)
    lab.processes['camtrapd'].send_signal(signal.SIGHUP)
    until(lab, 0, 'is up', 'alive', *PATIENT)


def dead_switches(lab):
    lab.do('dead acc-003')
    until(lab, 1, '1 of 6 switches not polled completely within 2 poll intervals: acc-003 unreachable', 'staleness', seconds=30)
    same('one that is asked for', check(lab, 'staleness', '--switch', 'acc-003')[0], 2)
    same('Q5: nothing is said of what nobody looked at', check(lab, 'present', '--switch', 'acc-003')[0], 3)
    assert any(x.startswith('acc-003, site ') for x in check(lab, 'staleness', '-v')[2])
    until(lab, 2, 'restricted device', 'present')		# the camera of outbox(): the rest of the network is known
    every = [s['name'] for s in lab.ctl('switches')['switches']]
    for name in every:
        lab.do(f'dead {name}')
    until(lab, 2, 'the last poll was answered', 'alive', seconds=30)
    until(lab, 2, '6 of 6 switches not polled completely', 'staleness')
    same('Q5: old state is never OK', [check(lab, m, '--vendor', 'Dahua')[0] for m in ('present', 'new')], [3, 3])
    for name in every:
        lab.do(f'alive {name}')
    until(lab, 0, '6 switches polled completely', 'staleness', *PATIENT, seconds=30)


def hanging(lab):
    """Everything of the daemon stands still: each check ends by itself."""
    pids = [lab.processes['camtrapd'].pid, *map(int, subprocess.run(['pgrep', '-P', str(lab.processes['camtrapd'].pid)], capture_output=True,
                                                                    text=True).stdout.split())]
    assert len(pids) > 4, pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            each = list(pool.map(lambda x: check(lab, x[0], '-t', x[1]), [(m, '2') for m in MODES] + [('alive', '2:1'), ('alive', '2:UNKNOWN')]))
        took = time.monotonic() - begun
        same('time-out', [x[0] for x in each], [2, 3, 3, 3, 3, 1, 3])
        same('what is said of it', {x[1].partition(': ')[2] for x in each}, {'the daemon does not answer within 2 s'})
        assert 2 <= took < 10, took
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
    until(lab, 0, 'is up', 'alive', *PATIENT)


def examples(lab):
    """What the manual and README show is what one can type."""
    typed = re.findall(r'^\.Dl \$ check_camtrapd (.*)$', open(os.path.join(SOURCE, 'doc', 'check_camtrapd.1')).read(), re.M)
    typed += re.findall(r'^    check_camtrapd ([^#]*)', open(os.path.join(SOURCE, 'README.md')).read(), re.M)
    assert len(typed) == 9, typed
    for words in typed:
        p = run(lab, *words.split(), '--config', lab.conf)
        assert p.returncode != 3 or 'no such switch' in p.stdout, (words, p.stdout)
    print(f'ok: {len(typed)} examples')


def another_user(lab):
    if os.geteuid() != 0:
        print('not tested here: another user')
        return
    where = ('--socket', os.path.join(lab.dir, 'run', 'control.sock'))
    got = check(lab, 'alive', where=where, user=65534, group=65534, extra_groups=[])
    same('another user', (got[0], 'may ask the daemon' in got[1]), (3, True))


def main():
    with Lab(sys.argv[1]) as lab:
        arguments(lab)
        noc = Trapd(lab, 'noc')
        text = lab.campus(switches=6, hosts=4, cameras=0, seed=3, ageing=10)
        lab.configure(text + 'switch_defaults = { poll_interval = "2s"; };\n', [lab.receiver(noc)])
        no_daemon(lab, 'not started')
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')
        for part in (content, cameras, lambda x: outbox(x, noc), reload, dead_switches, hanging, examples, another_user):
            part(lab)
        lab.processes['camtrapd'].terminate()
        lab.processes['camtrapd'].wait(15)
        no_daemon(lab, 'stopped')


main()

#!/usr/bin/env python3
"""topology and doctor on an emulated campus: the links are the campus's tree, port by port; what is left out of the configuration is a
blind spot; and what was planted wrongly is found: an uplink that does not exist, a dead switch, a weak credential."""
import os
import re
import shutil
import subprocess
import sys

from lab import Lab, Trapd, same, skip

SWITCHES = 28
DISTS = 3			# as the campus has them: one for each thirteen others


def tree(names):
    """The links of the campus: core-1 has dist-NN on Gi1/0/NN; acc-001, acc-002 … go around the dists, each on its next port."""
    links = set()
    for name in names:
        kind, _, number = name.partition('-')
        n = int(number)
        if kind == 'dist':
            links.add(frozenset([('core-1', f'Gi1/0/{n}'), (name, 'Te1/1/1')]))
        elif kind == 'acc':
            links.add(frozenset([(f'dist-{(n - 1) % DISTS + 1:02d}', f'Gi1/0/{(n - 1) // DISTS + 1}'), (name, 'Te1/1/1')]))
    return links


def ends(document):
    return {frozenset((e['switch'], e['port']) for e in (x['a'], x['b'])) for x in document['links']}


def ctl(lab, *words):
    return subprocess.run([lab.tool('camtrapctl'), '-c', lab.conf, *words], capture_output=True, text=True, timeout=90)


def spots(lab, *words):
    return [(s['kind'], s['text']) for s in lab.ctl('topology', *words)['blindSpots']]


def codes(lab, status, *grades):
    document = lab.ctl('doctor', status=(0, 1) if status is None else (status,))
    return {f['code']: f for f in document['findings'] if f['severity'] in grades}


def configure(lab, text, noc, left_out=()):
    kept = ''.join(x for x in text.splitlines(True) if not any(f'name = "{n}"' in x for n in left_out))
    lab.configure(kept + 'switch_defaults = { poll_interval = "5s"; };\n', [lab.receiver(noc)], registry='[ "oui.csv" ]')


def started(build, community, change=lambda text: text):
    lab = Lab(build)
    noc = Trapd(lab, 'noc', conf=f'authCommunity log {community}\n')
    text = lab.campus('--flood', '--community', community, switches=SWITCHES, hosts=4, cameras=2, seed=11, ageing=20)
    with open(os.path.join(lab.dir, 'oui.csv'), 'w') as f:
        f.write('Registry,Assignment,Organization Name,Organization Address\nMA-L,4419B6,"Hangzhou Hikvision Digital Technology Co.,Ltd.",CN\n')
    os.chmod(f.name, 0o644)
    configure(lab, change(text), noc)
    return lab, noc


def settled(lab, links):
    lab.camtrapd()
    lab.wait(lab.swept, 60, 'no first sweep')
    lab.wait(lambda: len(ends(lab.ctl('topology'))) >= links, 20, 'the links are not concluded')


def graph(lab, links):
    out = ctl(lab, 'topology', '--dot').stdout
    same('edges of the graph', len(re.findall(r'^\tn\d+ -- n\d+ \[', out, re.M)), links)
    if not shutil.which('dot'):
        skip('no Graphviz')
    p = subprocess.run(['dot', '-Tplain'], input=out, capture_output=True, text=True)
    same('Graphviz takes it', (p.returncode, p.stderr), (0, ''))


def whole(lab):
    """All is configured: the tree, and nothing wrong."""
    want = tree([s['name'] for s in lab.ctl('switches')['switches']])
    same('links of the campus', len(want), SWITCHES - 1)
    document = lab.ctl('topology', status=(0,))
    same('the links are its tree', ends(document), want)
    same('each told once', len(document['links']), len(want))
    same('each end says why', {e['reasonCode'] for x in document['links'] for e in (x['a'], x['b'])}, {'uplink-neighbours-agree'})
    same('and nothing lies between', {x['through'] for x in document['links']}, {None})
    same('no blind spot', (document['blindSpots'], document['omitted']), ([], {'links': 0, 'blindSpots': 0}))
    uplinks = {(s['name'], u['port']): (u['ifIndex'], u['reasonCode'], u['reason']) for s in lab.ctl('switches')['switches'] for u in s['uplinks']}
    same('the same as in switches', {(e['switch'], e['port']): (e['ifIndex'], e['reasonCode'], e['reason'])
                                     for x in document['links'] for e in (x['a'], x['b'])}, uplinks)
    same('links of one switch', ends(lab.ctl('topology', 'dist-02', status=(0,))), {x for x in want if 'dist-02' in dict(x)})
    same('no such switch', ctl(lab, 'topology', 'nobody').returncode, 1)
    same('wrong arguments', [ctl(lab, 'topology', *x).returncode for x in (['--no'], ['a', 'b'])] + [ctl(lab, 'doctor', 'x').returncode], [2] * 3)
    out = ctl(lab, 'topology').stdout
    assert f'{len(want)} links, 0 blind spots' in out, out
    same('rows of the CSV', len(ctl(lab, '--csv', 'topology').stdout.splitlines()), len(want) + 1)
    graph(lab, len(want))
    same('the doctor finds nothing wrong', codes(lab, 0, 'error', 'warning'), {})
    same('but a community in clear', sorted(codes(lab, 0, 'hint')), ['credential-in-clear', 'policy-old'])


def blind(lab, noc, text):
    """dist-02 is not configured: what names it has a blind spot, nobody else has."""
    configure(lab, text, noc, ['dist-02'])
    lab.processes['camtrapd'].send_signal(1)
    below = [f'acc-{n:03d}' for n in range(1, SWITCHES - DISTS) if (n - 1) % DISTS + 1 == 2]
    want = sorted([('unpolled-neighbour', "beyond Gi1/0/2 of core-1, towards an unpolled switch 'dist-02'")] +
                  [('unpolled-neighbour', f"beyond Te1/1/1 of {n}, towards an unpolled switch 'dist-02'") for n in below])
    lab.wait(lambda: [s for s in spots(lab) if s[0] == 'unpolled-neighbour'], 30, 'no blind spot')
    named = [s for s in spots(lab) if s[0] == 'unpolled-neighbour']
    same('blind spots', sorted(named), want)
    seen = [s for s in lab.ctl('topology', 'core-1')['blindSpots']]
    same('what it says of itself', [(s['port'], s['ifIndex'], s['neighbour']['source'], s['neighbour']['name'], s['neighbour']['port'],
                                     s['neighbour']['capabilities']) for s in seen], [('Gi1/0/2', 10102, 'lldp', 'dist-02', 'Te1/1/1', ['bridge'])])
    same('what lies between', {(x['a']['switch'], x['through']) for n in below for x in lab.ctl('topology', n)['links']}, {(n, 'dist-02') for n in below})
    rest = {x for x in tree([s['name'] for s in lab.ctl('switches')['switches']]) if 'dist-02' not in dict(x)}
    found = ends(lab.ctl('topology'))
    assert rest <= found, rest - found
    assert not any('dist-02' in dict(x) for x in found), found
    assert 'blind-spots' in codes(lab, None, 'hint')


def planted(text):
    return text.replace('name = "acc-003"; ', 'name = "acc-003"; uplinks = [ "Te9/9/9" ]; ')


def wrong(build):
    """What was planted is found, and where."""
    lab, _ = started(build, 'public', planted)
    with lab:
        lab.do('dead acc-005')
        settled(lab, SWITCHES - 2)
        found = lab.wait(lambda: (lambda c: 'switch-never-answered' in c and c)(codes(lab, None, 'error', 'warning')), 30, 'the dead switch is not found')
        same('what is found', sorted(found), ['credential-well-known', 'switch-never-answered', 'uplink-not-there'])
        same('the uplink that is not there', found['uplink-not-there']['what'], {'switch': 'acc-003', 'port': 'Te9/9/9'})
        same('the dead switch', found['switch-never-answered']['what'], {'switch': 'acc-005'})
        same('the weak credential', found['credential-well-known']['what'], {'credential': 'campus'})
        assert '27 switches, 1 receiver' in found['credential-well-known']['text'], found['credential-well-known']
        same('exit code with findings', ctl(lab, 'doctor').returncode, 1)
        out = ctl(lab, 'doctor').stdout
        assert 'acc-005 never answered' in out and 'camtrapctl probe' in out, out
        same('the dead one is a blind spot', [(s['kind'], s['switch']) for s in lab.ctl('topology', 'acc-005')['blindSpots']],
             [('unreachable-switch', 'acc-005')])

        lab.processes['camtrapd'].terminate()
        lab.processes['camtrapd'].wait(15)
        with open(lab.conf, 'a') as f:
            f.write('no_such_key = 1;\n')
        document = lab.ctl('doctor', status=(3,))
        same('without the daemon', (document['daemon'], document['configuration']), ('silent', 'mistakes'))
        said = {f['code']: f['what'] for f in document['findings']}
        same('what it says then', sorted(said), ['configuration-mistake', 'daemon-silent'])
        same('the mistake, with its line', said['configuration-mistake'],
             {'file': lab.conf, 'line': len(open(lab.conf).read().splitlines())})


def main():
    lab, noc = started(sys.argv[1], 'k7-Rz')
    with lab:
        settled(lab, SWITCHES - 1)
        whole(lab)
        blind(lab, noc, open(os.path.join(lab.dir, 'campus.conf')).read())
    wrong(sys.argv[1])


main()

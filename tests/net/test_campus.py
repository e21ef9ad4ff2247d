#!/usr/bin/env python3
"""The main job on an emulated campus of 50 switches: stock at the baseline, then plug, move, unplug, return; an ordinary laptop
is none of our business; places equal the campus's truth; nothing is repeated after a restart."""
import sys
import time

from lab import Lab, Trapd, same

RESTRICTED = ('44:19:b6', '3c:ef:8c')


def place(d):
    return d['location']['switch'], d['location']['ifIndex'], d['location']['port'], d['location']['vlan']


def told(e):
    return e['switchName'], e['ifIndex'], e['portName'], e['vlanId']


def device(lab, mac):
    return next(d for d in lab.devices() if d['mac'] == mac)


def d10_forged_neighbour(lab, noc):
    """A camera that says by LLDP that it is the switch at the other end of the true uplink keeps its port, and is a conflict."""
    parent = lab.ctl('switches', 'acc-030')['switches'][0]['uplinks'][0]['reason'].removeprefix('towards ')
    assert parent.startswith('dist-'), parent
    lab.do(f'plug acc-030 6 44:19:b6:aa:00:30 vlan 20 claims {parent}')
    mac = '44:19:b6:aa:00:30'
    found = lab.wait(lambda: [e for e in noc.events('deviceDetected') if e['deviceMac'] == mac], 40, 'D10: the camera is not told')
    t = lab.truth()[mac]
    same('D10: its place', told(found[0]), (t['switch'], t['ifIndex'], t['port'], t['vlan']))
    conflict = lab.wait(lambda: noc.events('conflictDetected'), 40, 'D10: no conflict')
    same('D10: the conflict', [(e['switchName'], e['ifIndex'], e['deviceMac']) for e in conflict], [(t['switch'], t['ifIndex'], mac)])
    same('D10: the true uplink stays', [u['reason'] for u in lab.ctl('switches', 'acc-030')['switches'][0]['uplinks']],
         ['towards ' + parent])


def main():
    with Lab(sys.argv[1]) as lab:
        noc = Trapd(lab, 'noc')
        text = lab.campus('--flood', switches=50, hosts=10, cameras=8, seed=7, ageing=10, lag=30, cdp=30, contexts=20)
        lab.configure(text + 'switch_defaults = { poll_interval = "3s"; };\n', [lab.receiver(noc)])
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')
        truth = lab.truth()
        stock = {m: t for m, t in truth.items() if t['restricted']}
        lab.wait(lambda: len(lab.devices()) == len(stock), 30, 'the stock is not found')
        devices = lab.devices()
        same('origin of the stock', {d['origin'] for d in devices}, {'existing'})
        same('places of the stock', {d['mac']: place(d) for d in devices},
             {m: (t['switch'], t['ifIndex'], t['port'], t['vlan']) for m, t in stock.items()})
        sites = {s['name']: s['site'] for s in lab.ctl('switches')['switches']}
        paged = {m for m, t in stock.items() if sites[t['switch']] == 'hq'}
        quiet = {t['switch'] for m, t in stock.items() if sites[t['switch']] == 'depot'}
        lab.wait(lambda: len(noc.events('deviceDetected')) >= len(paged) and len(noc.events('summary')) >= len(quiet), 20,
                 'no notifications about the stock')
        time.sleep(8)			# two more sweeps: nothing may follow
        same('sensitive sites: one by one', sorted(e['deviceMac'] for e in noc.events('deviceDetected')), sorted(paged))
        same('standard sites: one summary per switch', sorted(e['switchName'] for e in noc.events('summary')), sorted(quiet))

        before = len(noc.events('deviceDetected'))
        lab.do('plug acc-007 5 44:19:b6:aa:00:01 vlan 20 ip 10.20.0.77')
        lab.do('plug acc-008 9 00:14:22:aa:00:02 vlan 10')	# a laptop
        new = lab.wait(lambda: noc.events('deviceDetected')[before:], 20, 'the new camera is not told')
        time.sleep(7)
        same('one inform for the new camera', len(noc.events('deviceDetected')), before + 1)
        t = lab.truth()['44:19:b6:aa:00:01']
        same('its place', told(new[0]), (t['switch'], t['ifIndex'], t['port'], t['vlan']))
        same('what it is', (new[0]['deviceMac'], new[0]['origin'], new[0]['presence']), ('44:19:b6:aa:00:01', 1, 1))
        assert 'Hikvision' in new[0]['deviceVendor'], new[0]
        same('no event for a laptop', [e for e in noc.events() if e.get('deviceMac') == '00:14:22:aa:00:02'], [])

        lab.do('move 44:19:b6:aa:00:01 acc-020 11')
        moved = lab.wait(lambda: noc.events('deviceMoved'), 40, 'the move is not told')
        t = lab.truth()['44:19:b6:aa:00:01']
        same('where it moved', told(moved[0]), (t['switch'], t['ifIndex'], t['port'], t['vlan']))
        arrived = device(lab, '44:19:b6:aa:00:01')['arrivedAt']
        same('a move is no arrival', arrived, device(lab, '44:19:b6:aa:00:01')['firstSeen'])

        lab.do('unplug 44:19:b6:aa:00:01')
        gone = lab.wait(lambda: noc.events('deviceGone'), 60, 'that it went is not told')
        same('what went', (gone[0]['deviceMac'], gone[0]['presence']), ('44:19:b6:aa:00:01', 3))
        same('and it did not arrive by that', device(lab, '44:19:b6:aa:00:01')['arrivedAt'], arrived)

        lab.do('plug acc-020 11 44:19:b6:aa:00:01 vlan 20')
        back = lab.wait(lambda: noc.events('deviceReturned'), 30, 'that it returned is not told')
        same('what returned, and its detection', (back[0]['deviceMac'], back[0]['detectionId']),
             ('44:19:b6:aa:00:01', new[0]['detectionId']))
        same('to return is to arrive', device(lab, '44:19:b6:aa:00:01')['arrivedAt'] > arrived, True)
        same('each said once', [len(noc.events(x)) for x in ('deviceMoved', 'deviceGone', 'deviceReturned')], [1, 1, 1])

        want = {m: (t['switch'], t['ifIndex'], t['port']) for m, t in lab.truth().items()}
        stations = {s['mac']: (s['location'].get('switch'), s['location'].get('ifIndex'), s['location'].get('port'))
                    for s in lab.ctl('find', '--all')['stations']}
        wrong = {m: (stations.get(m), want[m]) for m in want if stations.get(m) != want[m]}
        same('place of every station', wrong, {})

        d10_forged_neighbour(lab, noc)

        count = len([e for e in noc.events() if e['type'] != 'heartbeat'])
        lab.processes['camtrapd'].terminate()
        lab.processes['camtrapd'].wait(15)
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no sweep after the restart')
        time.sleep(8)
        same('a restart repeats nothing', [e for e in noc.events() if e['type'] != 'heartbeat'][count:], [])


main()

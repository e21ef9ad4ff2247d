#!/usr/bin/env python3
"""Real switches' tables through the whole daemon: recordings served by ../shared/recordings/serve.py; devices equal an
independent join of the expected rows with the registry and the policies; one more restricted MAC is exactly one inform."""
import json
import os
import re
import sys
import time

from lab import SHARED, SOURCE, Lab, Trapd, free_port, same, skip

NAMES = ['hyperion_bitstream', 'routeros', 'ciscosb_cbs350', 'scalance_xc206-2sfp', 'eltex-mes23xx_mes2324b', 'procurve']
FOLDER = os.path.join(SHARED, 'recordings')


def fold(name):
    return re.sub(r'[\s.,]', '', name).lower()


def restricted_prefixes():
    """Blocks of the policies' organisations, read here by other code than the product's: manuf and the IEEE's CSV."""
    names = set()
    for f in os.listdir(os.path.join(SOURCE, 'conf/policy.d')):
        text = re.sub(r'^\s*[#/].*$', '', open(os.path.join(SOURCE, 'conf/policy.d', f)).read(), flags=re.M)
        names |= {fold(n) for n in re.findall(r'organisation\s*=\s*"([^"]*)"', text)}
    owner = {}
    import csv
    for f in ('oui.csv', 'mam.csv', 'oui36.csv'):
        for row in csv.reader(open(os.path.join('/usr/share/ieee-data', f), newline='', encoding='utf-8')):
            if row[0] != 'Registry':
                owner[row[1].lower()] = row[2]
    for line in open('/usr/share/wireshark/manuf', encoding='utf-8'):		# dated 2024: newer than ieee-data
        if line[0] in '#\n':
            continue
        block, _, rest = line.rstrip('\n').partition('\t')
        digits, _, bits = block.partition('/')
        digits = digits.replace(':', '').lower()
        if bits or len(digits) == 6:
            owner[digits[:int(bits or 24) // 4]] = (rest.split('\t') + [''])[1] or rest.split('\t')[0]
    return owner, names


def main():
    if not os.path.isdir(FOLDER):
        skip('no ../shared/recordings')
    owner, names = restricted_prefixes()

    def is_restricted(mac):
        digits = mac.replace(':', '')
        if int(digits[1], 16) & 2:
            return False
        found = next((owner[digits[:n]] for n in (9, 7, 6) if digits[:n] in owner), None)
        return found is not None and fold(found) in names

    want = {}
    for n in NAMES:
        e = json.load(open(os.path.join(FOLDER, n + '.expected.json')))
        for r in e['fdb'] + e['fdbUnplaced']:
            if is_restricted(r['mac']):
                want.setdefault(r['mac'], set()).add((n, r.get('ifIndex')))
        for r in e['lldp']:
            mac = r['chassisId'] or ''
            if re.fullmatch(r'([0-9a-f]{2}:){5}[0-9a-f]{2}', mac) and is_restricted(mac):
                want.setdefault(mac, set())
    with Lab(sys.argv[1]) as lab:
        noc, port = Trapd(lab, 'noc'), free_port()
        copies, switches = [], []
        for i, n in enumerate(NAMES):
            copy = os.path.join(lab.dir, n + '.snmprec')
            with open(os.path.join(FOLDER, n + '.snmprec'), 'rb') as f, open(copy, 'wb') as g:
                g.write(f.read())
            copies.append(f'127.20.0.{i + 1}:{port}={copy}')
            switches.append(f'{{ name = "{n}"; address = "127.20.0.{i + 1}:{port}"; site = "hq"; credential = "campus"; }}')
        conf = 'sites = ( { name = "hq"; sensitivity = "sensitive"; page_existing = false; } );\n' \
               'credentials = ( { name = "campus"; version = "2c"; community = "public"; } );\n' \
               'switch_defaults = { poll_interval = "4s"; };\nswitches = (\n' + ',\n'.join(switches) + ' );\n'
        lab.configure(conf, [lab.receiver(noc)])

        def serve():
            lab.start('serve', [sys.executable, os.path.join(FOLDER, 'serve.py'), *copies])
            out = os.path.join(lab.dir, 'serve.out')
            ready = open(out).read().count('ready')
            lab.wait(lambda: open(out).read().count('ready') > ready, 60, 'serve.py does not start')

        serve()
        lab.camtrapd()
        lab.wait(lab.swept, 60, 'no first sweep')
        lab.wait(lambda: len(lab.devices()) >= len(want), 60, f'{len(want)} devices are not found')
        time.sleep(6)
        devices = {d['mac']: d for d in lab.devices()}
        same('restricted addresses, and nothing else', sorted(devices), sorted(want))
        wrong = []
        for mac, places in want.items():
            got = (devices[mac]['location'].get('switch'), devices[mac]['location'].get('ifIndex'))
            if places and got not in places and (got[0], None) not in places:
                wrong.append((mac, got, sorted(places, key=str), devices[mac]['location']['reason']))
        same('their places', wrong, [])
        same('nothing paged one by one', noc.events('deviceDetected'), [])

        # One more restricted address on gi5 of the Small Business switch: FDB id and VLAN 1, port 5.
        copy = os.path.join(lab.dir, 'ciscosb_cbs350.snmprec')
        rows = open(copy, errors='surrogateescape').read()
        entry = re.search(r'^1\.3\.6\.1\.2\.1\.17\.7\.1\.2\.2\.1\.2\.(\d+)\.(?:\d+\.){5}\d+\|2\|(\d+)$', rows, re.M)
        port_number = next(int(p) for f, p in re.findall(
            r'^1\.3\.6\.1\.2\.1\.17\.7\.1\.2\.2\.1\.2\.(\d+)\.(?:\d+\.){5}\d+\|2\|(\d+)$', rows, re.M) if int(p) > 0)
        fdb_id = entry.group(1)
        e = json.load(open(os.path.join(FOLDER, 'ciscosb_cbs350.expected.json')))
        like = next(r for r in e['fdb'] if r['bridgePort'] == port_number)
        fdb_id = next(m.group(1) for m in re.finditer(
            r'^1\.3\.6\.1\.2\.1\.17\.7\.1\.2\.2\.1\.2\.(\d+)\.((?:\d+\.){5}\d+)\|2\|\d+$', rows, re.M)
            if ':'.join('%02x' % int(x) for x in m.group(2).split('.')) == like['mac'])
        with open(copy, 'a', errors='surrogateescape') as f:
            f.write(f'1.3.6.1.2.1.17.7.1.2.2.1.2.{fdb_id}.68.25.182.1.2.3|2|{port_number}\n')
        lab.processes['serve'].terminate()
        lab.processes['serve'].wait(10)
        serve()
        lab.wait(lambda: noc.events('deviceDetected'), 60, 'the added address is not told')
        time.sleep(10)
        told = noc.events('deviceDetected')
        same('exactly one inform', [x['deviceMac'] for x in told], ['44:19:b6:01:02:03'])
        name = next(i['name'] for i in e['interfaces'] if i['ifIndex'] == like['ifIndex'])
        same('switch, ifIndex, port and VLAN', (told[0]['switchName'], told[0]['ifIndex'], told[0]['portName'], told[0]['vlanId']),
             ('ciscosb_cbs350', like['ifIndex'], name, like['vlan'] or 0))


main()

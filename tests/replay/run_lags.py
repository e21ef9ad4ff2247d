#!/usr/bin/env python3
"""Holds the members of aggregates that test_tables finds in each recording against a reading of its own of the raw lines.

usage: run_lags.py PROGRAM FOLDER

The reading here asks no tables in steps and keeps no state: a port is a member of an aggregate when dot3adAggPortAttachedAggID says
so, or, in a recording where that attaches no port, when an active row of ifStackTable does; an aggregate is an interface of type
ieee8023adLag, or a propVirtual one called Port-channel, and one of them has to be up. PROVEN lists what the recordings show; one
that shows more, or less, fails here, so that the list stays true.
Exit status 0: all agree; 1: one does not; 77: no folder.
"""
import json
import os
import re
import subprocess
import sys

IF_DESCR, IF_TYPE, IF_OPER = ('1.3.6.1.2.1.2.2.1.%d.' % c for c in (2, 3, 8))
ATTACHED, STACK = '1.2.840.10006.300.43.1.2.1.1.13.', '1.3.6.1.2.1.31.1.2.1.3.'
PROVEN = {
    'arista_eos': {1000001: [43, 44]},
    'ios_2960x': {5001: [10152, 11152]},
    'ocnos_s9510-28dc-b': {100054: [5013, 5023], 100066: [5005, 5010], 100077: [5015, 5020],
                           100127: [10026, 10031, 10036, 10045, 10048]},
    'onms_c3560-switch1': {5001: [10109, 10110, 10111, 10112]},
    'onms_os6250-brue': {40000010: [1025]},
    'procurve': {962: [55, 56]},
}


def objects(path):
    """(oid, text) of each line that begins with an OID; octets of an snmprec file in hexadecimal are decoded where they are that."""
    for line in open(path, encoding='utf-8', errors='replace'):
        m = re.match(r'\.?(iso|1)((?:\.\d+)+)(?:\|(\w+)\||\s=\s(?:[\w -]+:\s)?)(.*)$', line.rstrip('\r\n'))
        if m:
            text = m[4]
            if m[3] and m[3].endswith('x') and re.fullmatch('(?:[0-9a-fA-F]{2})*', text):
                text = bytes.fromhex(text).decode('utf-8', 'replace')
            yield '1' + m[2], text.strip().strip('"')


def number(text):
    m = re.search(r'(-?\d+)\)?$', text)
    return int(m[1]) if m else None


def columns(path):
    out = {p: {} for p in (IF_DESCR, IF_TYPE, IF_OPER, ATTACHED, STACK)}
    for oid, text in objects(path):
        for prefix, column in out.items():
            if oid.startswith(prefix):
                index = tuple(int(x) for x in oid[len(prefix):].split('.'))
                column.setdefault(index, text if prefix == IF_DESCR else number(text))
    return out


def members(path):
    c = columns(path)
    ports = {i for col in (IF_DESCR, IF_TYPE, IF_OPER) for i in c[col]}
    groups = {i for i in ports if c[IF_TYPE].get(i) == 161
              or (c[IF_TYPE].get(i) == 53 and re.match('Port-channel.', c[IF_DESCR].get(i, '')))}
    if not any(c[IF_OPER].get(i) == 1 for i in groups):
        return {}
    pairs = {((a,), p) for p, a in c[ATTACHED].items() if a and (a,) != p}
    if not pairs:
        pairs = {(i[:1], i[1:]) for i, status in c[STACK].items() if status == 1 and i[1] != 0}
    out = {}
    for a, p in pairs:
        if a in groups and p in ports - groups and sum(q == p and b in groups for b, q in pairs) == 1:
            out.setdefault(a[0], []).append(p[0])
    return {a: sorted(v) for a, v in out.items()}


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    program, folder = sys.argv[1:]
    if not os.path.isdir(folder):
        print(f'{folder}: no recordings here')
        return 1 if os.environ.get('CI') else 77
    bad = seen = 0
    for file in sorted(os.listdir(folder)):
        name, ext = os.path.splitext(file)
        if ext not in ('.snmprec', '.snmpwalk') or '@' in name:
            continue
        path = os.path.join(folder, file)
        got = json.loads(subprocess.run([program, path], stdout=subprocess.PIPE, check=True, timeout=120).stdout)['lags']
        tables = sorted({g['table'] for g in got})
        got, own = {g['ifIndex']: g['members'] for g in got}, members(path)
        ok = got == own == PROVEN.get(name, {})
        bad += not ok
        seen += bool(own)
        if own or not ok:
            print(f'{name:24} {"pass" if ok else "FAIL"}  {", ".join(tables)}: {got}' + ('' if ok else f'; read here: {own}'))
    print(f'{seen} recordings have aggregates with members; {bad} unexpected')
    return 1 if bad or seen != len(PROVEN) else 0


sys.exit(main())

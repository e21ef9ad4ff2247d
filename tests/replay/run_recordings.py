#!/usr/bin/env python3
"""Runs every recording of a folder through test_tables and holds the result against its expected one (compare.py of that folder).

usage: run_recordings.py PROGRAM FOLDER [-v] [NAME...]

Exit status 0: all pass but those of KNOWN_NOT_YET; 1: one fails that should pass, or passes that should not; 77: no folder.
"""
import os
import subprocess
import sys
import tempfile

KNOWN_NOT_YET = {
    'fs-centec_s5850-48s2q4c': 'its MACs were made group addresses; no station has one, so they are dropped',
    'fs-switch_s3900-24t4s': 'management addresses that are MACs: struct row_neighbour keeps IP addresses only',
    'nxos_n3k-3064pq': 'management and CDP addresses that are not IP (the latter made up by the recorder)',
    'slxos_slx9150': 'management addresses that are MACs: struct row_neighbour keeps IP addresses only',
}


def run(program, folder, name, tmp):
    recording = next(p for p in (os.path.join(folder, name + e) for e in ('.snmprec', '.snmpwalk')) if os.path.exists(p))
    actual = os.path.join(tmp, name + '.json')
    with open(actual, 'wb') as out:
        r = subprocess.run([program, recording], stdout=out, stderr=subprocess.PIPE, timeout=120)
    if r.returncode:
        return False, [f'ends with {r.returncode}'] + r.stderr.decode('utf-8', 'replace').splitlines()[:20]
    r = subprocess.run([sys.executable, os.path.join(folder, 'compare.py'), os.path.join(folder, name + '.expected.json'), actual,
                        '--recording', recording], capture_output=True, text=True, timeout=120)
    lines = r.stdout.splitlines() + r.stderr.splitlines()
    return r.returncode == 0, [x for x in lines if x.startswith(' ') or 'missing or wrong     0  too much     0' not in x]


def main():
    args = [a for a in sys.argv[1:] if a != '-v']
    if len(args) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    program, folder, only = args[0], args[1], args[2:]
    if not os.path.exists(os.path.join(folder, 'compare.py')):
        print(f'{folder}: no recordings here')
        return 1 if os.environ.get('CI') else 77
    names = sorted(f[:-len('.expected.json')] for f in os.listdir(folder) if f.endswith('.expected.json'))
    bad = passed = 0
    with tempfile.TemporaryDirectory() as tmp:
        for name in only or names:
            ok, why = run(program, folder, name, tmp)
            passed += ok
            known = KNOWN_NOT_YET.get(name)
            bad += ok == (known is not None)
            print(f"{name:32} {'pass' if ok else 'FAIL'}"
                  + (f' (listed as known: {known})' if known else '') + ('' if ok == (known is None) else '  <-- unexpected'))
            if not ok and (known is None or '-v' in sys.argv):
                print('\n'.join('    ' + x[:600] for x in why))
    print(f'{passed} of {len(only or names)} pass; {bad} unexpected')
    return 1 if bad else 0


sys.exit(main())

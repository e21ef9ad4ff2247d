"""Random actions on the emulated campus, drawn from a seed."""
import collections
import time

from told import At, number

MOVES_TOLD, ALARMS_PER_PORT = 4, 5	# in 10 minutes, in a minute: past that they are told in numbers, by design
CAMERAS_MAX = 400

MAKERS = [None, None, ('HIKVISION', 'DS-2CD2143G2-I'), ('Dahua', 'IPC-HDW2431T')]
LAPTOPS = [None, None, ('Dell', 'Latitude-5440'), ('Lenovo', 'ThinkPad-T14')]


class Actor:
    """Draws actions. The choice depends on the seed and on what was done before, never on time or on the daemon."""

    WEIGHTS = {'plug_camera': 22, 'plug_laptop': 10, 'plug_two': 3, 'move_camera': 16, 'move_laptop': 7, 'unplug_camera': 12,
               'unplug_laptop': 4, 'plug_again_there': 7, 'plug_again_elsewhere': 6, 'replug': 3, 'there_and_away': 3, 'flap': 6,
               'reboot': 2, 'reboot_and_move': 1, 'loss': 2}

    def __init__(self, campus, rng, weights=WEIGHTS):
        self.campus, self.rng, self.weights = campus, rng, weights
        self.number, self.done, self.alarms = 0, collections.Counter(), collections.Counter()
        self.access = [s for s in campus.switches.values() if s.is_access()]

    # -- choices
    def a_place(self, dead=0.04, near=None):
        """A port with room; `near`: rather on the same switch or in the same tree."""
        want, how = self.rng.random() < dead, self.rng.random()
        while True:
            s = self.rng.choice(self.access)
            if near is not None and how < 0.25:
                s = self.campus.switches[near.switch]
            elif near is not None and how < 0.6 and s.tree != self.campus.switches[near.switch].tree:
                continue
            if s.dead != want and any(x.dead for x in self.access):
                how = 1.0
                continue
            place = At(s.name, f'Gi1/0/{self.rng.randint(1, s.ports)}')
            if self.campus.on_port[place] < 3 and self.alarms[place] < ALARMS_PER_PORT and place != near:
                self.alarms[place] += 1
                return place

    def a_device(self, restricted, present=True, movable=False):
        """None: there is none such."""
        fit = [d for d in self.campus.devices.values() if d.restricted == restricted and (d.place() is not None) == present and
               d.locked is None and (not movable or d.moves < MOVES_TOLD)]
        return self.rng.choice(fit) if fit else None

    def a_mac(self, block):
        self.number += 1
        return f'{block}:{self.number >> 16 & 255:02x}:{self.number >> 8 & 255:02x}:{self.number & 255:02x}'

    # -- actions
    def plug_camera(self, place=None):
        """Some are known by their address, some only by what they say of themselves."""
        place, said = place or self.a_place(), self.rng.choice(MAKERS)
        block = self.rng.choice(['44:19:b6', '3c:ef:8c'] + ['00:1f:16'] * (said is not None))	# the last is nobody's camera
        self.campus.plug(self.a_mac(block), place, 20, True, said, ip=f'10.20.{self.rng.randint(0, 255)}.{self.rng.randint(1, 254)}',
                         learn=self.rng.choice([0, 0, 0, 1, 2, 4]), only_says=block == '00:1f:16')

    def plug_laptop(self, place=None):
        self.campus.plug(self.a_mac('00:14:22'), place or self.a_place(), 10, False, self.rng.choice(LAPTOPS),
                         learn=self.rng.choice([0, 0, 3]))

    def plug_two(self):
        place = self.a_place()
        self.plug_camera(place)
        self.rng.choice([self.plug_camera, self.plug_laptop])(place)

    def move(self, restricted):
        d = self.a_device(restricted, movable=True)
        if d is not None:
            self.campus.move(d.mac, self.a_place(near=d.place()))

    def unplug(self, restricted):
        d = self.a_device(restricted)
        if d is not None:
            self.campus.unplug(d.mac)

    def plug_again(self, same_port):
        """A camera that was here before, at the port where it was or elsewhere."""
        d = self.a_device(True, present=False, movable=True)
        if d is None:
            return
        last = d.last
        fits = same_port and last is not None and self.campus.is_answering(last) and self.campus.on_port[last] < 3
        self.campus.plug(d.mac, last if fits else self.a_place(), d.vlan, True, ('HIKVISION', 'DS-2CD2143G2-I') if d.says else None)

    def replug(self):
        """Out and in again: too short to be gone."""
        d = self.a_device(True)
        if d is not None:
            place = d.place()
            self.campus.unplug(d.mac)
            self.campus.plug(d.mac, place, d.vlan, True, ('HIKVISION', 'DS-2CD2143G2-I') if d.says else None)

    def there_and_away(self):
        place = self.a_place()
        self.plug_camera(place)
        d = list(self.campus.devices.values())[-1]
        if d.locked is None:
            self.rng.choice([lambda: self.campus.unplug(d.mac), lambda: self.campus.move(d.mac, self.a_place(near=place))])()

    def flap(self):
        d = self.a_device(True)
        if d is not None and self.campus.is_answering(d.place()):
            self.campus.flap(d.mac, self.rng.choice([0.3, 0.6, 0.9, 0.9, 5]))

    def a_live_switch(self):
        return self.rng.choice([s.name for s in self.campus.switches.values() if not s.dead and not s.impaired] or [None])

    def reboot(self):
        name = self.a_live_switch()
        if name is not None:
            self.campus.reboot(name, self.rng.choice([0, 0, 1, 2]))

    def reboot_and_move(self):
        """To the port that gets the number which the other one had."""
        fit = [d for d in self.campus.devices.values() if d.restricted and d.place() is not None and d.locked is None and
               d.moves < MOVES_TOLD and number(d.place().port) > 1 and not self.campus.switches[d.place().switch].impaired]
        d = self.rng.choice(fit) if fit else None
        if d is not None:
            name = d.place().switch
            self.campus.reboot(name, 0)
            self.campus.move(d.mac, At(name, f'Gi1/0/{number(d.place().port) - 1}'))

    def loss(self):
        name = self.a_live_switch()
        if name is not None:
            self.campus.loss(name, self.rng.choice([5, 10, 20]))

    def move_camera(self):
        self.move(True)

    def move_laptop(self):
        self.move(False)

    def unplug_camera(self):
        self.unplug(True)

    def unplug_laptop(self):
        self.unplug(False)

    def plug_again_there(self):
        self.plug_again(True)

    def plug_again_elsewhere(self):
        self.plug_again(False)

    def one(self):
        weights = dict(self.weights)
        if sum(d.restricted and d.place() is not None for d in self.campus.devices.values()) > CAMERAS_MAX:
            weights['unplug_camera'] = 60
        name = self.rng.choices(list(weights), weights.values())[0]
        getattr(self, name)()
        self.done[name] += 1

    def begin_round(self):
        """Dead switches and live ones change only at a quiet point; no two neighbours are dead at once."""
        self.alarms.clear()
        for s in [s for s in self.campus.switches.values() if s.dead]:
            if self.rng.random() < 0.6:
                self.campus.alive(s.name)
                self.done['alive'] += 1
        fit = [s for s in self.campus.switches.values() if s.parent is not None and not s.impaired and
               not any(self.campus.switches[n].impaired for n in s.children + [s.parent])]
        for s in self.rng.sample(fit, self.rng.choice([0, 1, 2])):
            if not any(self.campus.switches[n].impaired for n in s.children + [s.parent]):
                self.campus.dead(s.name)
                self.done['dead'] += 1

    def round(self, actions):
        before = self.done.total()
        self.begin_round()
        while self.done.total() - before < actions:
            self.one()
            time.sleep(self.rng.choice([0, 0, 0, 0, 0.02, 0.05, 0.1]))
        self.campus.loss('all', 0)

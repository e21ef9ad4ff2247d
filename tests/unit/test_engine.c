/* tests/unit/test_engine.c: the engine with a network made of rows and a clock of its own: stock and summary, a camera found
 * through the core first, moves, gone and back, laptops, forged neighbours, restarts, and receivers that come and go. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "engine/engine.h"
#include "model/rows.h"
#include "model/rowset.h"

#define SWITCHES 3			/* core, a, b */
#define MACS 40

struct seen { uint64_t mac; uint32_t port; uint16_t vlan; };

static struct lab {
	char			 dir[64];
	struct store		*store;
	struct registry		*registry;
	struct engine		*engine;
	struct moment		 now;
	struct seen		 fdb[SWITCHES][MACS];
	uint64_t		 forged;		/* a's port 9 has a neighbour that says it is the switch of this MAC */
	bool			 arp;			/* the core's ARP table has the camera */
	bool			 strict;		/* the policies are about Dell, too */
	unsigned		 configured;		/* of the switches, the first so many */
	bool			 acknowledge;
	struct msg_deliver	 out[512];
	size_t			 n_out;
	unsigned		 polls_asked[SWITCHES];
	uint32_t		 sequence[SWITCHES];
	uint64_t		 epoch;
} lab;

static const char *const names[SWITCHES] = { "core", "a", "b" };
static const uint64_t own[SWITCHES] = { 0x001422000001, 0x001422000002, 0x001422000003 };
#define CAMERA 0x4419b6010203ull
#define LAPTOP 0x001422aa0001ull

static void
poll_now(void *arg, uint64_t key)
{
	(void)arg;
	lab.polls_asked[key - 1]++;
}

static void
resync(void *arg, uint64_t key)
{
	(void)arg, (void)key;
}

static void
deliver(void *arg, const struct msg_deliver *m)
{
	(void)arg;
	assert_true(lab.n_out < nitems(lab.out));
	lab.out[lab.n_out++] = *m;
}

static void
random_octets(void *arg, uint8_t *out, size_t n)
{
	static uint8_t next;

	(void)arg;
	for (size_t i = 0; i < n; i++)
		out[i] = next++;
}

static void
answer(void *arg, uint32_t id, const char *json, size_t n, bool more)
{
	(void)arg, (void)id, (void)json, (void)n, (void)more;
}

static const struct engine_ops ops = { poll_now, resync, deliver, random_octets, answer, NULL };

static struct conf *
conf_make(void)
{
	struct conf *c = calloc(1, sizeof *c);

	c->name = strdup("lab");
	c->heartbeat_s = 86400;
	c->retention_s = 86400;
	c->max_stations = 1000;
	c->n_sites = 2;
	c->sites = calloc(2, sizeof *c->sites);
	c->sites[0] = (struct conf_site){ .name = strdup("hq"), .sensitive = true, .page_existing = true };
	c->sites[1] = (struct conf_site){ .name = strdup("depot") };
	c->n_switches = lab.configured;
	c->switches = calloc(SWITCHES, sizeof *c->switches);
	for (size_t i = 0; i < lab.configured; i++) {
		c->switches[i] = (struct conf_switch){ .key = i + 1, .name = strdup(names[i]), .site = strdup(i == 2 ? "depot" : "hq") };
		c->switches[i].address.ip = (struct ip){ 4, { 192, 0, 2, (uint8_t)(i + 1) } };
	}
	c->n_receivers = 2;
	c->receivers = calloc(2, sizeof *c->receivers);
	c->receivers[0] = (struct conf_receiver){ .name = strdup("noc"), .inform = true };
	c->receivers[1] = (struct conf_receiver){ .name = strdup("second"), .inform = true };
	c->policies.n = 1;
	c->policies.sets = calloc(1, sizeof *c->policies.sets);
	c->policies.sets[0] = (struct policy_set){ .name = strdup("test"), .n = lab.strict ? 2 : 1, .rules = calloc(2, sizeof(struct policy_rule)) };
	c->policies.sets[0].rules[1] = (struct policy_rule){ .vendor = strdup("Dell"), .kind = RULE_ORGANISATION, .match = strdup("Dell Inc."),
		.basis = BASIS_OPERATOR, .cameras = true };
	if (!lab.strict) {
		free(c->policies.sets[0].rules[1].vendor);
		free(c->policies.sets[0].rules[1].match);
	}
	c->policies.sets[0].rules[0] = (struct policy_rule){ .vendor = strdup("Hikvision"), .kind = RULE_ORGANISATION,
		.match = strdup("Hikvision"), .basis = BASIS_OPERATOR, .cameras = true };
	return c;
}

static void
start(void)
{
	struct store_opened opened;

	assert_int_equal(store_open(&lab.store, lab.dir, lab.now.wall, &opened), 0);
	lab.engine = engine_new(conf_make(), lab.registry, lab.store, &opened, &ops, NULL, lab.now);
	assert_non_null(lab.engine);
	engine_notify_up(lab.engine, true, lab.now);
	lab.epoch++;
	memset(lab.sequence, 0, sizeof lab.sequence);
}

/* What kill -9 leaves: nothing is written that was not on disk. */
static void
crash(void)
{
	engine_free(lab.engine);
	store_close(lab.store);
	lab.engine = NULL;
}

static void
stop(void)
{
	engine_stop(lab.engine);
	engine_free(lab.engine);
	store_close(lab.store);
	lab.engine = NULL;
}

static int
setup(void **state)
{
	static const char manuf[] = "#\n44:19:B6\tHik\tHikvision\n00:14:22\tDell\tDell Inc.\n";

	(void)state;
	memset(&lab, 0, sizeof lab);
	snprintf(lab.dir, sizeof lab.dir, "/tmp/camtrapd-test-XXXXXX");
	assert_non_null(mkdtemp(lab.dir));
	lab.now.mono.ms = 1000000;
	lab.now.wall.us = 1795000000000000;
	lab.acknowledge = true;
	lab.configured = SWITCHES;
	lab.registry = registry_new();
	assert_int_equal(registry_add(lab.registry, "manuf", manuf, sizeof manuf - 1, lab.now.wall), 0);
	registry_finish(lab.registry);
	start();
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	if (lab.engine != NULL)
		stop();
	registry_free(lab.registry);
	for (int i = 0; i < 3; i++) {
		static const char *const tails[] = { "", "-wal", "-shm" };

		snprintf(command, sizeof command, "%s/camtrapd.db%s", lab.dir, tails[i]);
		unlink(command);
	}
	rmdir(lab.dir);
	return 0;
}

/* ---- the network: core port 1 leads to a port 1, core port 2 to b port 1; ports 5 to 9 are for devices. */

static void
row_put(struct buf *packed, struct row_ref *refs, size_t *n, struct row *r)
{
	packed[*n] = (struct buf){ 0 };
	row_pack(&packed[*n], r);
	refs[*n] = (struct row_ref){ packed[*n].p, packed[*n].len };
	row_free(r);
	(*n)++;
}

static struct row
neighbour(uint32_t port, uint64_t mac)
{
	struct row r = { .kind = ROW_NEIGHBOUR };
	struct mac m = mac_of_u64(mac);

	r.neighbour.table = TABLE_LLDP;
	r.neighbour.if_index = port;
	r.neighbour.chassis_subtype = 4;
	r.neighbour.chassis = (struct octets){ malloc(sizeof m.b), sizeof m.b };
	memcpy(r.neighbour.chassis.p, m.b, sizeof m.b);
	return r;
}

static struct rowset
table_of(int sw)
{
	struct buf packed[96];
	struct row_ref refs[96];
	struct rowset out;
	struct row r = { .kind = ROW_SYSTEM };
	char name[8];
	size_t n = 0;

	r.system.bridge = mac_of_u64(own[sw]);
	r.system.ageing_s = 300;
	octets_set(&r.system.name, names[sw], strlen(names[sw]));
	row_put(packed, refs, &n, &r);
	for (uint32_t i = 1; i <= 9; i++) {
		r = (struct row){ .kind = ROW_IFACE };
		r.iface.if_index = i;
		r.iface.oper = 1;
		snprintf(name, sizeof name, "Gi%u", i);
		octets_set(&r.iface.name, name, strlen(name));
		row_put(packed, refs, &n, &r);
	}
	for (int i = 0; i < MACS; i++) {
		if (lab.fdb[sw][i].mac == 0)
			continue;
		r = (struct row){ .kind = ROW_FDB };
		r.fdb = (struct row_fdb){ mac_of_u64(lab.fdb[sw][i].mac), lab.fdb[sw][i].vlan, lab.fdb[sw][i].port, 0, FDB_LEARNED, TABLE_DOT1Q };
		row_put(packed, refs, &n, &r);
	}
	if (sw == 0) {
		r = neighbour(1, own[1]);
		row_put(packed, refs, &n, &r);
		r = neighbour(2, own[2]);
		row_put(packed, refs, &n, &r);
	} else {
		r = neighbour(1, own[0]);
		row_put(packed, refs, &n, &r);
	}
	if (sw == 1 && lab.forged != 0) {
		r = neighbour(9, lab.forged);
		row_put(packed, refs, &n, &r);
	}
	if (sw == 0 && lab.arp) {
		r = (struct row){ .kind = ROW_ARP };
		r.arp = (struct row_arp){ { 4, { 10, 20, 0, 77 } }, mac_of_u64(CAMERA), 1, TABLE_MEDIA };
		row_put(packed, refs, &n, &r);
	}
	assert_int_equal(rowset_build(&out, refs, n), 0);
	for (size_t i = 0; i < n; i++)
		buf_free(&packed[i]);
	return out;
}

static void
tick(void)
{
	for (int i = 0; i < 50; i++) {
		size_t before = lab.n_out;

		engine_tick(lab.engine, lab.now);
		if (lab.n_out == before)
			break;
		for (size_t k = before; k < lab.n_out && lab.acknowledge; k++) {
			struct msg_delivered d = { lab.out[k].row, DELIVERY_ACKNOWLEDGED, 1, "" };

			engine_delivered(lab.engine, &d, lab.now);
		}
	}
}

static void
later(int64_t ms)
{
	lab.now.mono.ms += ms;
	lab.now.wall.us += ms * 1000;
	tick();
}

static void
report(int sw, enum switch_state state, uint32_t missed)
{
	struct msg_report r = { .key = (uint64_t)sw + 1, .epoch = lab.epoch, .sequence = ++lab.sequence[sw], .snapshot = state == SWITCH_OK,
		.state = (uint8_t)state, .complete = state == SWITCH_OK ? ROW_ALL : 0, .started = lab.now.wall, .finished = lab.now.wall,
		.missed = missed };
	struct rowset set = { 0 };
	struct msg_in in;

	lab.now.wall.us += 1000;
	engine_report_begin(lab.engine, &r, lab.now);
	if (state == SWITCH_OK) {
		set = table_of(sw);
		in = msg_in_of(set.bytes.p, set.bytes.len);
		engine_report_rows(lab.engine, r.key, false, &in);
	}
	engine_report_end(lab.engine, r.key, lab.now);
	rowset_free(&set);
	tick();
}

static void
poll(int sw)
{
	report(sw, SWITCH_OK, 0);
}

static void
sweep(void)
{
	for (int i = 0; i < SWITCHES; i++)
		poll(i);
}

/* The tables as learning makes them: the device's own switch on its port, the others towards it. */
static void
plug(int slot, uint64_t mac, int sw, uint32_t port)
{
	for (int i = 0; i < SWITCHES; i++)
		lab.fdb[i][slot] = (struct seen){ mac, i == sw ? port : i == 0 ? (uint32_t)sw : 1, 20 };
}

static void
unplug(int slot)
{
	for (int i = 0; i < SWITCHES; i++)
		lab.fdb[i][slot] = (struct seen){ 0, 0, 0 };
}

/* Notifications of a type that the receiver got, by event id once each; the last one in *last. */
static unsigned
told(enum event_type type, const char *receiver, struct event *last)
{
	unsigned n = 0;

	for (size_t i = 0; i < lab.n_out; i++) {
		bool again = false;

		if (lab.out[i].event.type != type || strcmp(lab.out[i].receiver, receiver) != 0)
			continue;
		for (size_t k = 0; k < i; k++)
			again |= strcmp(lab.out[k].event.id, lab.out[i].event.id) == 0 && strcmp(lab.out[k].receiver, receiver) == 0;
		n += !again;
		if (last != NULL)
			*last = lab.out[i].event;
	}
	return n;
}

/* ---- claims */

static void
stock_is_paged_on_sensitive_sites_and_summed_up_elsewhere(void **state)
{
	struct event ev;

	(void)state;
	plug(0, CAMERA, 1, 5);
	plug(1, CAMERA + 1, 2, 6);
	plug(2, CAMERA + 2, 2, 7);
	sweep();
	sweep();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "a");
	assert_int_equal(ev.if_index, 5);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
	assert_int_equal(told(EVENT_SUMMARY, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(ev.count, 2);
}

static void
a_camera_seen_by_the_core_first_is_one_event_with_its_access_port(void **state)
{
	struct event ev;

	(void)state;
	sweep();
	sweep();
	plug(0, CAMERA, 2, 6);
	poll(0);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	assert_true(lab.polls_asked[2] > 0);
	poll(2);
	poll(1);
	later(30000);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(ev.if_index, 6);
	assert_string_equal(ev.port, "Gi6");
	assert_int_equal(ev.vlan, 20);
	assert_int_equal(ev.origin, ORIGIN_NEW);
	assert_int_equal(told(EVENT_DEVICE_CHANGED, "noc", NULL), 0);
}

static void
a_place_that_stays_hidden_is_told_with_less_certainty(void **state)
{
	struct event ev;

	(void)state;
	sweep();
	sweep();
	lab.fdb[0][0] = (struct seen){ CAMERA, 2, 20 };
	poll(0);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	later(16000);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.verdict, VERDICT_BEYOND);
	plug(0, CAMERA, 2, 6);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_CHANGED, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 6);
}

static void
moved_gone_and_returned_are_said_once_each(void **state)
{
	struct event ev;

	(void)state;
	sweep();
	sweep();
	plug(0, CAMERA, 1, 5);
	sweep();
	later(1000);
	plug(0, CAMERA, 2, 7);
	sweep();
	later(1000);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(ev.if_index, 7);
	unplug(0);
	sweep();
	later(1000);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", NULL), 0);	/* two polls, but not yet past the ageing time */
	later(301000);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", &ev), 1);
	assert_int_equal(ev.presence, PRESENCE_GONE);
	plug(0, CAMERA, 2, 7);
	sweep();
	later(1000);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_RETURNED, "noc", &ev), 1);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_int_equal(told(EVENT_DEVICE_MOVED, "noc", NULL), 1);
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", NULL), 1);
}

static void
a_laptop_is_none_of_our_business(void **state)
{
	(void)state;
	sweep();
	plug(0, LAPTOP, 1, 5);
	sweep();
	later(60000);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
}

static void
d10_a_forged_neighbour_keeps_its_port_and_is_a_conflict(void **state)
{
	struct event ev;

	(void)state;
	sweep();
	sweep();
	lab.forged = own[2];
	plug(0, CAMERA, 1, 9);
	sweep();
	sweep();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "a");
	assert_int_equal(ev.if_index, 9);
	plug(1, LAPTOP, 1, 5);		/* any other change must not tell it again */
	sweep();
	plug(2, LAPTOP + 1, 2, 5);
	sweep();
	assert_int_equal(told(EVENT_CONFLICT, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "a");
	assert_int_equal(ev.if_index, 9);
}

static void
a_restart_repeats_nothing(void **state)
{
	size_t before;

	(void)state;
	plug(0, CAMERA, 1, 5);
	sweep();
	later(2000);
	stop();
	before = lab.n_out;
	start();
	sweep();
	later(2000);
	sweep();
	for (size_t i = before; i < lab.n_out; i++)
		assert_int_equal(lab.out[i].event.type, EVENT_HEARTBEAT);
}

static void
q1_what_was_not_acknowledged_is_sent_again_after_a_restart_with_its_id(void **state)
{
	struct event first, again;

	(void)state;
	lab.acknowledge = false;
	plug(0, CAMERA, 1, 5);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &first), 1);
	stop();
	lab.n_out = 0;
	lab.acknowledge = true;
	start();
	tick();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &again), 1);
	assert_string_equal(first.id, again.id);
	assert_int_equal(first.sequence, again.sequence);
	later(60000);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
}

static void
an_unreachable_switch_is_told_after_three_misses_and_its_cameras_are_not_gone(void **state)
{
	struct event ev;

	(void)state;
	plug(0, CAMERA, 1, 5);
	sweep();
	for (uint32_t missed = 1; missed <= 4; missed++) {
		later(400000);
		report(1, SWITCH_UNREACHABLE, missed);
	}
	assert_int_equal(told(EVENT_SWITCH_UNREACHABLE, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "a");
	assert_int_equal(ev.count, 1);
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	poll(1);
	assert_int_equal(told(EVENT_SWITCH_REACHABLE, "noc", NULL), 1);
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
a_report_out_of_step_is_asked_for_again_and_changes_nothing(void **state)
{
	struct msg_report r = { .key = 2, .epoch = 99, .sequence = 7, .state = SWITCH_OK, .complete = ROW_ALL };
	static const uint8_t rubbish[] = { 0, 9, 1 };
	struct msg_in in = msg_in_of(rubbish, sizeof rubbish);

	(void)state;
	plug(0, CAMERA, 1, 5);
	sweep();
	engine_report_begin(lab.engine, &r, lab.now);
	engine_report_rows(lab.engine, 2, true, &in);
	engine_report_end(lab.engine, 2, lab.now);
	engine_report_end(lab.engine, 2, lab.now);
	engine_report_end(lab.engine, 77, lab.now);
	sweep();
	later(1000);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 1);
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", NULL), 0);
}

static void
d10_a_forged_claim_of_the_real_neighbour_keeps_its_port_too(void **state)
{
	struct event ev;

	(void)state;
	sweep();
	sweep();
	lab.forged = own[0];			/* a's true neighbour on port 1 */
	plug(0, CAMERA, 1, 9);
	sweep();
	sweep();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "a");
	assert_int_equal(ev.if_index, 9);
	assert_int_equal(told(EVENT_CONFLICT, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 9);
	assert_int_equal(mac_u64(ev.mac), CAMERA);
}

static void
a_standing_conflict_is_not_told_again_by_a_restart_but_when_it_comes_back(void **state)
{
	(void)state;
	sweep();
	sweep();
	lab.forged = own[2];
	plug(0, CAMERA, 1, 9);
	sweep();
	sweep();
	assert_int_equal(told(EVENT_CONFLICT, "noc", NULL), 1);
	crash();
	start();
	for (int i = 0; i < 4; i++)
		sweep();
	assert_int_equal(told(EVENT_CONFLICT, "noc", NULL), 1);
	lab.forged = 0;
	sweep();
	sweep();
	lab.forged = own[2];
	for (int i = 0; i < 4; i++)
		sweep();
	assert_int_equal(told(EVENT_CONFLICT, "noc", NULL), 2);
}

static void
q2_a_crash_at_any_report_neither_loses_nor_repeats(void **state)
{
	/* Eight reports; the engine is killed behind each of them in turn, once. */
	for (int at = 0; at < 8; at++) {
		struct event ev;

		if (at > 0) {
			teardown(state);
			setup(state);
		}
		plug(1, CAMERA + 1, 2, 6);	/* stock on a standard site */
		plug(2, CAMERA + 2, 1, 7);	/* stock on a sensitive one */
		for (int i = 0; i < 8; i++) {
			if (i == 5)
				plug(0, CAMERA, 1, 5);
			poll(i % SWITCHES);
			if (i == at) {
				crash();
				start();
			}
		}
		for (int i = 0; i < 4; i++) {
			sweep();
			later(20000);
		}
		print_message("killed behind report %d\n", at);
		assert_int_equal(told(EVENT_SUMMARY, "noc", &ev), 1);
		assert_int_equal(ev.count, 1);
		assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 2);
		assert_int_equal(told(EVENT_DEVICE_CHANGED, "noc", NULL) + told(EVENT_DEVICE_MOVED, "noc", NULL), 0);
	}
}

static void
a_camera_that_only_an_uplink_remembers_is_gone(void **state)
{
	struct event ev;

	(void)state;
	plug(0, CAMERA, 2, 6);
	sweep();
	sweep();
	lab.fdb[2][0] = (struct seen){ 0, 0, 0 };	/* b forgets it, the core remembers for longer */
	for (int i = 0; i < 3; i++) {
		later(200000);
		sweep();
	}
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	sweep();
	later(1000);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_RETURNED, "noc", NULL), 0);
	plug(0, CAMERA, 2, 6);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_RETURNED, "noc", NULL), 1);
}

static void
a_camera_that_went_where_nobody_looks_is_not_said_to_be_on_its_old_port(void **state)
{
	struct event ev;

	(void)state;
	plug(0, CAMERA, 1, 5);
	sweep();
	sweep();
	for (uint32_t missed = 1; missed <= 3; missed++)
		report(2, SWITCH_UNREACHABLE, missed);
	unplug(0);
	lab.fdb[0][0] = (struct seen){ CAMERA, 2, 20 };	/* the core: beyond the uplink towards b, which cannot be asked */
	for (int i = 0; i < 3; i++) {
		later(200000);
		poll(0);
		poll(1);
	}
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	assert_int_equal(told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_int_equal(ev.verdict, VERDICT_BEYOND);
	assert_string_equal(ev.switch_name, "core");
	plug(0, CAMERA, 2, 8);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_CHANGED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(ev.if_index, 8);
}

static void
reconfigure(void)
{
	engine_configure(lab.engine, conf_make(), lab.registry, lab.now);
	tick();
}

static void
a_changed_policy_finds_what_was_there_and_lets_go_of_it(void **state)
{
	struct event ev;

	(void)state;
	plug(0, LAPTOP, 1, 5);
	plug(1, LAPTOP + 1, 2, 6);
	sweep();
	sweep();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	lab.strict = true;
	reconfigure();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);	/* on the sensitive site one by one */
	assert_int_equal(ev.origin, ORIGIN_POLICY);
	assert_int_equal(ev.if_index, 5);
	assert_int_equal(told(EVENT_SUMMARY, "noc", &ev), 1);
	assert_int_equal(ev.count, 1);
	lab.strict = false;
	reconfigure();
	assert_int_equal(told(EVENT_DEVICE_HANDLED, "noc", &ev), 2);
	assert_int_equal(ev.handling, HANDLING_REMOVED);
	lab.strict = true;
	reconfigure();
	later(2000);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 2);
	assert_int_equal(ev.handling, HANDLING_OPEN);
	assert_int_equal(told(EVENT_SUMMARY, "noc", NULL), 2);
}

static void
a_policy_changed_between_two_runs_is_one_that_brings_up(void **state)
{
	struct event ev;

	(void)state;
	plug(0, LAPTOP, 1, 5);
	sweep();
	later(2000);
	stop();
	lab.strict = true;
	start();
	sweep();
	later(2000);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.origin, ORIGIN_POLICY);
}

static void
d6_more_than_eight_on_a_port_are_one_flood_with_their_number_over_a_crash(void **state)
{
	for (int killed = 0; killed < 2; killed++) {
		struct event ev;

		if (killed) {
			teardown(state);
			setup(state);
		}
		sweep();
		sweep();
		for (int i = 0; i < 20; i++)
			plug(i, CAMERA + (uint64_t)i, 1, 5);
		sweep();
		assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 8);
		assert_int_equal(told(EVENT_MAC_FLOOD, "noc", NULL), 0);
		if (killed) {
			crash();
			start();
			sweep();
		}
		later(61000);
		later(2000);
		assert_int_equal(told(EVENT_MAC_FLOOD, "noc", &ev), 1);
		assert_int_equal(ev.count, 12);
		assert_string_equal(ev.switch_name, "a");
		assert_int_equal(ev.if_index, 5);
		later(120000);
		sweep();
		assert_int_equal(told(EVENT_MAC_FLOOD, "noc", NULL), 1);
		assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 8);
	}
}

static void
p8_one_alarm_names_the_switch_that_died_and_not_those_behind_it(void **state)
{
	struct event ev;

	(void)state;
	sweep();
	sweep();
	for (uint32_t missed = 1; missed <= 4; missed++) {
		later(100000);
		for (int i = SWITCHES - 1; i >= 0; i--)
			report(i, SWITCH_UNREACHABLE, missed);
	}
	assert_int_equal(told(EVENT_SWITCH_UNREACHABLE, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "core");
	poll(0);
	poll(1);
	assert_int_equal(told(EVENT_SWITCH_REACHABLE, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "core");
	report(2, SWITCH_UNREACHABLE, 5);	/* dead by itself, as is seen now */
	assert_int_equal(told(EVENT_SWITCH_UNREACHABLE, "noc", &ev), 2);
	assert_string_equal(ev.switch_name, "b");
	stop();
	start();
	report(2, SWITCH_UNREACHABLE, 1);	/* a new run counts anew, and the switch is as dead as before */
	poll(0);
	poll(1);
	assert_int_equal(told(EVENT_SWITCH_REACHABLE, "noc", NULL), 1);
	poll(2);
	assert_int_equal(told(EVENT_SWITCH_REACHABLE, "noc", &ev), 2);
	assert_string_equal(ev.switch_name, "b");
	assert_int_equal(told(EVENT_SWITCH_UNREACHABLE, "noc", NULL), 2);
}

static void
an_arp_table_gives_the_address(void **state)
{
	struct event ev;

	(void)state;
	sweep();
	sweep();
	plug(0, CAMERA, 1, 5);
	lab.arp = true;
	sweep();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_memory_equal(ev.device_address.b, "\x0a\x14\x00\x4d", 4);
}

static void
a_switch_taken_out_of_the_configuration_leaves_its_devices_stale(void **state)
{
	(void)state;
	lab.fdb[2][0] = (struct seen){ CAMERA, 6, 20 };	/* by nobody else: else it would be on the core's port from now on */
	sweep();
	sweep();
	lab.configured = 2;
	unplug(0);
	reconfigure();
	for (int i = 0; i < 3; i++) {
		later(400000);
		poll(0);
		poll(1);
	}
	assert_int_equal(told(EVENT_DEVICE_GONE, "noc", NULL), 0);
	lab.configured = SWITCHES;
	reconfigure();
	lab.fdb[2][0] = (struct seen){ CAMERA, 6, 20 };
	sweep();
	later(20000);
	sweep();
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL) + told(EVENT_DEVICE_RETURNED, "noc", NULL) +
	    told(EVENT_DEVICE_MOVED, "noc", NULL) + told(EVENT_SUMMARY, "noc", NULL), 1);	/* the summary at its first baseline */
}

static void
one_slow_switch_does_not_hide_a_camera_whose_place_is_clear(void **state)
{
	struct event ev;

	(void)state;
	plug(0, CAMERA, 1, 5);
	poll(0);
	poll(1);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", NULL), 0);
	later(31000);
	later(2000);
	assert_int_equal(told(EVENT_DEVICE_DETECTED, "noc", &ev), 1);
	assert_int_equal(ev.if_index, 5);
	assert_int_equal(ev.origin, ORIGIN_EXISTING);
}

static void
s5_a_clock_set_back_makes_no_old_port_the_newest(void **state)
{
	struct event ev;

	(void)state;
	sweep();
	sweep();
	plug(0, CAMERA, 1, 5);
	sweep();
	lab.now.wall.us -= 3650ll * 86400 * 1000000;
	later(1000);
	lab.fdb[2][0] = (struct seen){ CAMERA, 7, 20 };	/* moved; a has not forgotten it yet */
	lab.fdb[0][0] = (struct seen){ CAMERA, 2, 20 };
	sweep();
	assert_int_equal(told(EVENT_DEVICE_MOVED, "noc", &ev), 1);
	assert_string_equal(ev.switch_name, "b");
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(stock_is_paged_on_sensitive_sites_and_summed_up_elsewhere),
		CLAIM(a_camera_seen_by_the_core_first_is_one_event_with_its_access_port),
		CLAIM(a_place_that_stays_hidden_is_told_with_less_certainty), CLAIM(moved_gone_and_returned_are_said_once_each),
		CLAIM(a_laptop_is_none_of_our_business), CLAIM(d10_a_forged_neighbour_keeps_its_port_and_is_a_conflict),
		CLAIM(a_restart_repeats_nothing), CLAIM(q1_what_was_not_acknowledged_is_sent_again_after_a_restart_with_its_id),
		CLAIM(an_unreachable_switch_is_told_after_three_misses_and_its_cameras_are_not_gone),
		CLAIM(a_report_out_of_step_is_asked_for_again_and_changes_nothing),
		CLAIM(d10_a_forged_claim_of_the_real_neighbour_keeps_its_port_too),
		CLAIM(a_standing_conflict_is_not_told_again_by_a_restart_but_when_it_comes_back),
		CLAIM(q2_a_crash_at_any_report_neither_loses_nor_repeats), CLAIM(a_camera_that_only_an_uplink_remembers_is_gone),
		CLAIM(a_camera_that_went_where_nobody_looks_is_not_said_to_be_on_its_old_port),
		CLAIM(a_changed_policy_finds_what_was_there_and_lets_go_of_it), CLAIM(a_policy_changed_between_two_runs_is_one_that_brings_up),
		CLAIM(d6_more_than_eight_on_a_port_are_one_flood_with_their_number_over_a_crash),
		CLAIM(p8_one_alarm_names_the_switch_that_died_and_not_those_behind_it), CLAIM(an_arp_table_gives_the_address),
		CLAIM(a_switch_taken_out_of_the_configuration_leaves_its_devices_stale),
		CLAIM(one_slow_switch_does_not_hide_a_camera_whose_place_is_clear), CLAIM(s5_a_clock_set_back_makes_no_old_port_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* When a switch is asked next, what its tables may take in memory, and which VLAN contexts are asked and what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "poller/contexts.h"
#include "poller/due.h"
#include "poller/tables.h"

enum { INTERVAL_S = 300, SWITCHES = 3200, BINS = 32 };

static uint64_t
key_of(unsigned i)
{
	char name[32];
	int n = snprintf(name, sizeof name, "acc-sw-%04u", i);

	return hash_bytes(name, (size_t)n);
}

/* P2: whoever starts all at once finds them spread over the interval, and the same after a restart. */
static void
phases_spread_and_hold(void **state)
{
	unsigned bins[BINS] = { 0 };

	(void)state;
	for (unsigned i = 0; i < SWITCHES; i++) {
		struct mono one = { 86400123 }, two = { 86400123 + 7 * INTERVAL_S * 1000 + 54321 };
		int64_t a = due_poll(key_of(i), INTERVAL_S, one, one), b = due_poll(key_of(i), INTERVAL_S, two, two);

		assert_in_range(a, 1, INTERVAL_S * 1000);
		assert_in_range(b, 1, INTERVAL_S * 1000);
		assert_int_equal((one.ms + a) % (INTERVAL_S * 1000), (two.ms + b) % (INTERVAL_S * 1000));
		bins[(one.ms + a) % (INTERVAL_S * 1000) * BINS / (INTERVAL_S * 1000)]++;
	}
	for (unsigned i = 0; i < BINS; i++)
		assert_in_range(bins[i], SWITCHES / BINS * 6 / 10, SWITCHES / BINS * 14 / 10);
}

/* However long a poll takes and however late it starts, the next one is at the next time of its own. */
static void
polls_keep_their_interval(void **state)
{
	struct mono t = { 1000 };
	uint64_t key = key_of(7);

	(void)state;
	t = mono_add(t, due_poll(key, INTERVAL_S, t, t));
	for (unsigned i = 0; i < 1000; i++) {
		struct mono began = mono_add(t, i % 90), end = mono_add(began, i * 37 % 200000);

		t = mono_add(t, INTERVAL_S * 1000);
		assert_int_equal(end.ms + due_poll(key, INTERVAL_S, began, end), t.ms);
	}
	/* One that took all its time (P1) is followed at once, not after another interval. */
	assert_int_equal(due_poll(key, INTERVAL_S, mono_add(t, 5), mono_add(t, INTERVAL_S * 1000 + 5)), 0);
}

/* P8: 30 s, 1, 2, then every 5 min; no rarer than a live one. */
static void
dead_switches_are_asked_seldom(void **state)
{
	static const struct { unsigned pings; uint32_t interval_s; int64_t ms; } cases[] = { { 0, 300, 30000 }, { 1, 300, 60000 },
		{ 2, 300, 120000 }, { 3, 300, 300000 }, { 4, 300, 300000 }, { UINT32_MAX, 3600, 300000 }, { 0, 5, 5000 }, { 9, 60, 60000 } };

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++)
		assert_int_equal(due_ping(cases[i].pings, cases[i].interval_s), cases[i].ms);
}

/* One row of dot1qTpFdb: VLAN 20, the n-th MAC address, port 1. */
static void
fdb_put(struct tables *t, uint32_t n, size_t octets)
{
	static const uint8_t filler[1024];
	uint32_t oid[] = { 1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 2, 20, 0x44, 0x19, 0xb6, n >> 16 & 255, n >> 8 & 255, n & 255 };
	struct varbind v = { .oid = oid, .oid_len = nitems(oid), .type = VB_INTEGER, .number = 1 };

	if (octets > 0) {
		v.type = VB_OCTETS;
		v.octets = filler;
		v.n_octets = octets;
	}
	tables_put(t, &v);
}

static void
steps_done(struct tables *t)
{
	for (size_t i = 0; i < poll_n_steps; i++)
		tables_step_done(t, i, true, NULL);
}

static void
sum(void *arg, const char *kind, const char *text, uint32_t count)
{
	if (str_eq(kind, "dropped") && str_eq(text, "over the limit of memory"))
		*(uint32_t *)arg += count;
}

/* P2: octets without end stop at the limit; what came before is used (P5), and nothing is complete. */
static void
memory_of_a_switch_is_bounded(void **state)
{
	static const struct { const char *name; uint32_t rows, used; size_t octets; bool whole; } cases[] = {
		{ "a big switch", 60000, 60000, 0, true }, { "too many rows", 500000, 200000, 0, false },
		{ "long values", 60000, 0, 1024, false } };

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct tables *t = tables_new(262144);
		uint32_t dropped = 0;
		size_t n;

		print_message("%s\n", cases[i].name);
		assert_non_null(t);
		fdb_put(t, 0xffffff, 0);
		for (uint32_t k = 0; k < cases[i].rows; k++)
			fdb_put(t, k, cases[i].octets);
		steps_done(t);
		assert_int_equal(tables_join(t), 0);
		tables_diagnostics(t, sum, &dropped);
		n = tables_n_rows(t);
		assert_true(n > cases[i].used);
		assert_true(n * sizeof(struct row_fdb) <= TABLES_BYTES_MAX);
		assert_int_equal(dropped == 0, cases[i].whole);
		assert_int_equal(tables_complete(t), cases[i].whole ? ROW_ALL : 0);
		tables_free(t);
	}
}

/* ---- VLAN contexts */

#define BRIDGE_OID 1, 3, 6, 1, 2, 1, 17

static void
number_put(struct tables *t, const uint32_t *oid, size_t n, int64_t value)
{
	struct varbind v = { .oid = oid, .oid_len = n, .type = VB_INTEGER, .number = value };

	tables_put(t, &v);
}

/* Base ports 1 to 4 of a context; port p is interface `first` + p. */
static void
ports_put(struct tables *t, uint32_t first)
{
	for (uint32_t p = 1; p <= 4; p++)
		number_put(t, (uint32_t[]){ BRIDGE_OID, 1, 4, 1, 2, p }, 12, first + p);
}

/* Station `n` learned at a bridge port. */
static void
station_put(struct tables *t, uint32_t n, uint32_t port)
{
	number_put(t, (uint32_t[]){ BRIDGE_OID, 4, 3, 1, 2, 0x44, 0x19, 0xb6, 0, 0, n }, 17, port);
	number_put(t, (uint32_t[]){ BRIDGE_OID, 4, 3, 1, 3, 0x44, 0x19, 0xb6, 0, 0, n }, 17, 3);
}

static void
vtp_put(struct tables *t, uint32_t vlan, int64_t state, int64_t type)
{
	number_put(t, (uint32_t[]){ 1, 3, 6, 1, 4, 1, 9, 9, 46, 1, 3, 1, 1, 2, 1, vlan }, 16, state);
	number_put(t, (uint32_t[]){ 1, 3, 6, 1, 4, 1, 9, 9, 46, 1, 3, 1, 1, 3, 1, vlan }, 16, type);
}

static struct tables *
tables_with_interfaces(void)
{
	static const uint8_t name[] = "Gi";
	struct tables *t = tables_new(1000);

	assert_non_null(t);
	for (uint32_t i = 101; i < 205; i++) {
		uint32_t oid[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 2, i };
		struct varbind v = { .oid = oid, .oid_len = nitems(oid), .type = VB_OCTETS, .octets = name, .n_octets = 2 };

		tables_put(t, &v);
	}
	return t;
}

static void
step_of_context(struct tables *t, bool ok, const char *why)
{
	for (size_t i = 0; i < poll_n_steps; i++)
		if (poll_steps[i].how == POLL_WALK_VLANS)
			tables_step_done(t, i, ok, why);
}

static void
default_steps_done(struct tables *t)
{
	for (size_t i = 0; i < poll_n_steps; i++)
		if (poll_steps[i].how != POLL_WALK_VLANS)
			tables_step_done(t, i, true, NULL);
}

struct place { uint32_t station, if_index; uint16_t vlan; };

/* Just these places, each once. */
static void
assert_places(const struct tables *t, const struct place *want, size_t n_want)
{
	size_t at = 0, found = 0, fdb = 0;
	struct row row;

	while (tables_next(t, &at, &row)) {
		const struct row_fdb *f = &row.fdb;

		if (row.kind != ROW_FDB)
			continue;
		fdb++;
		for (size_t k = 0; k < n_want; k++)
			found += f->mac.b[5] == want[k].station && f->if_index == want[k].if_index && f->vlan == want[k].vlan;
	}
	assert_int_equal(found, n_want);
	assert_int_equal(fdb, n_want);
}

/* Bridge port 2 is another interface in each context; a station may be in two VLANs; the default context repeats the one it is of,
 * and is the last word only on what no VLAN's context has. */
static void
each_context_has_its_own_ports(void **state)
{
	static const struct place want[] = { { 1, 102, 10 }, { 1, 202, 20 }, { 2, 203, 20 }, { 3, 0, 20 }, { 9, 104, 0 } };
	struct tables *t = tables_with_interfaces();

	(void)state;
	vtp_put(t, 10, 1, 1);
	vtp_put(t, 20, 1, 1);
	ports_put(t, 100);
	station_put(t, 1, 2);
	station_put(t, 9, 4);
	default_steps_done(t);
	assert_true(tables_context(t, 10));
	station_put(t, 1, 2);
	ports_put(t, 100);
	step_of_context(t, true, NULL);
	assert_true(tables_context(t, 20));
	ports_put(t, 200);
	station_put(t, 1, 2);
	station_put(t, 2, 3);
	station_put(t, 3, 7);		/* a port of no table of this context: unknown, not looked for in others */
	step_of_context(t, true, NULL);
	assert_int_equal(tables_join(t), 0);
	assert_places(t, want, nitems(want));
	assert_int_equal(tables_complete(t), ROW_ALL);
	tables_free(t);
}

static void
is_incomplete(void *arg, const char *kind, const char *text, uint32_t count)
{
	(void)count;
	if (str_eq(kind, "incomplete") && strstr(text, ((const char **)arg)[0]) != NULL)
		((const char **)arg)[1] = "seen";
}

/* A VLAN that did not answer, or was not asked, leaves the table incomplete, with its number; one that is empty does not. */
static void
unanswered_contexts_are_told(void **state)
{
	static const struct { const char *name, *why, *told; size_t left; bool whole; } cases[] = {
		{ "an empty one", NULL, NULL, 0, true }, { "no answer", "VLAN 20: no answer", "VLAN 20: no answer", 0, false },
		{ "no time", NULL, "VLAN 30 and 6 more: not asked: no time left", 7, false } };

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct tables *t = tables_with_interfaces();
		const char *told[2] = { cases[i].told, NULL };
		char text[128];

		print_message("%s\n", cases[i].name);
		vtp_put(t, 10, 1, 1);
		vtp_put(t, 20, 1, 1);
		default_steps_done(t);
		for (uint16_t vlan = 10; vlan <= 20; vlan = (uint16_t)(vlan + 10)) {
			assert_true(tables_context(t, vlan));
			step_of_context(t, vlan == 10 || cases[i].why == NULL, cases[i].why);
		}
		assert_true(tables_context(t, 0));
		if (cases[i].left > 0)
			tables_vlans_left(t, 30, cases[i].left, "not asked: no time left", text, sizeof text);
		assert_int_equal(tables_join(t), 0);
		assert_int_equal(tables_complete(t), cases[i].whole ? ROW_ALL : ROW_ALL & ~ROW_BIT(ROW_FDB));
		if (cases[i].told != NULL)
			tables_diagnostics(t, is_incomplete, told);
		assert_int_equal(told[1] != NULL, cases[i].told != NULL);
		tables_free(t);
	}
}

/* What takes no notice of the context shows every VLAN the same: then none of them is believed. */
static void
whole_table_in_each_context(void **state)
{
	static const struct place unknown[] = { { 1, 101, 0 }, { 2, 102, 0 } }, believed[] = { { 1, 101, 10 }, { 2, 102, 10 } };

	(void)state;
	for (unsigned contexts = 1; contexts <= 2; contexts++) {
		struct tables *t = tables_with_interfaces();

		for (unsigned c = 0; c <= contexts; c++) {
			if (c == 1)
				default_steps_done(t);
			assert_true(tables_context(t, (uint16_t)(10 * c)));
			ports_put(t, 100);
			station_put(t, 1, 1);
			station_put(t, 2, 2);
		}
		assert_int_equal(tables_join(t), 0);
		assert_places(t, contexts == 1 ? believed : unknown, 2);
		tables_free(t);
	}
}

static void
name_put(struct tables *t, uint32_t index, const char *name)
{
	uint32_t oid[] = { 1, 3, 6, 1, 2, 1, 47, 1, 2, 1, 1, 2, index };
	struct varbind v = { .oid = oid, .oid_len = nitems(oid), .type = VB_OCTETS, .octets = (const uint8_t *)name, .n_octets = strlen(name) };

	tables_put(t, &v);
}

static size_t
set_size(const struct vlan_set *s)
{
	size_t n = 0;

	for (unsigned vlan = 0; vlan <= VLAN_MAX; vlan++)
		n += vlan_in(s, vlan);
	return n;
}

/* Operational Ethernet VLANs but those of FDDI and Token Ring; the list of VTP goes before entLogicalTable; whoever has a table with
 * all VLANs is not asked for contexts. */
static void
vlans_in_use_are_asked(void **state)
{
	struct tables *t = tables_with_interfaces();
	struct vlan_set all, access;

	(void)state;
	assert_false(tables_vlans(t, &all, &access));
	name_put(t, 1, "vlan7");
	name_put(t, 2, "vlan1002");
	name_put(t, 3, "vlan99999");
	name_put(t, 4, "vlan");
	name_put(t, 5, "Vlan8x");
	name_put(t, 6, "BRIDGE-MIB");
	assert_true(tables_vlans(t, &all, &access));
	assert_int_equal(set_size(&all), 1);
	assert_true(vlan_in(&all, 7));
	vtp_put(t, 1, 1, 1);
	vtp_put(t, 30, 1, 1);
	vtp_put(t, 31, 2, 1);		/* suspended */
	vtp_put(t, 32, 1, 3);		/* token ring */
	for (uint32_t vlan = 1002; vlan <= 1005; vlan++)
		vtp_put(t, vlan, 1, 1);
	vtp_put(t, 0, 1, 1);
	vtp_put(t, 4095, 1, 1);
	vtp_put(t, UINT32_MAX, 1, 1);
	number_put(t, (uint32_t[]){ 1, 3, 6, 1, 4, 1, 9, 9, 68, 1, 2, 2, 1, 2, 101 }, 15, 30);
	assert_true(tables_vlans(t, &all, &access));
	assert_int_equal(set_size(&all), 2);
	assert_true(vlan_in(&all, 1) && vlan_in(&all, 30));
	assert_true(set_size(&access) == 1 && vlan_in(&access, 30));
	fdb_put(t, 1, 0);
	assert_false(tables_vlans(t, &all, &access));
	tables_free(t);
}

/* A poll that asks `n` of them. */
static void
contexts_poll(struct contexts *c, const struct vlan_set *all, const struct vlan_set *access, const uint16_t *want, size_t n,
    uint16_t lost)
{
	assert_true(contexts_begin(c, all, access));
	for (size_t i = 0; i < n; i++) {
		const struct context *x = contexts_next(c);

		assert_non_null(x);
		assert_int_equal(x->vlan, want[i]);
		contexts_result(c, x->vlan != lost);
	}
}

/* Where the time of a poll is not enough for all, every VLAN has its turn; those that did not answer come last, and end it. */
static void
every_vlan_has_its_turn(void **state)
{
	struct vlan_set all = { 0 }, access = { 0 };
	struct contexts c = { 0 };

	(void)state;
	for (uint16_t vlan = 10; vlan <= 50; vlan = (uint16_t)(vlan + 10))
		vlan_add(&all, vlan);
	vlan_add(&access, 40);
	contexts_poll(&c, &all, &access, (uint16_t[]){ 40, 10 }, 2, 0);
	contexts_poll(&c, &all, &access, (uint16_t[]){ 20, 30, 50, 40 }, 4, 30);
	contexts_poll(&c, &all, &access, (uint16_t[]){ 10, 40, 20, 50, 30 }, 5, 0);
	assert_null(contexts_next(&c));
	vlan_add(&all, 60);
	contexts_poll(&c, &all, &access, (uint16_t[]){ 60, 40, 10, 20, 30, 50 }, 6, 0);
	assert_true(contexts_begin(&c, &all, &access));
	for (unsigned i = 0; i < CONTEXTS_LOST_MAX; i++) {
		assert_false(contexts_mute(&c));
		assert_non_null(contexts_next(&c));
		contexts_result(&c, false);
	}
	assert_true(contexts_mute(&c) && !c.answered);
	contexts_free(&c);
}

/* ---- members of aggregates */

enum { ETHERNET = 6, PROP_VIRTUAL = 53, LAG = 161, UP = 1, DOWN = 2 };

static void
interface_put(struct tables *t, uint32_t if_index, const char *descr, uint32_t type, uint32_t oper)
{
	uint32_t oid[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 2, if_index };
	struct varbind v = { .oid = oid, .oid_len = nitems(oid), .type = VB_OCTETS, .octets = (const uint8_t *)descr, .n_octets = strlen(descr) };

	tables_put(t, &v);
	number_put(t, (uint32_t[]){ 1, 3, 6, 1, 2, 1, 2, 2, 1, 3, if_index }, 11, type);
	number_put(t, (uint32_t[]){ 1, 3, 6, 1, 2, 1, 2, 2, 1, 8, if_index }, 11, oper);
}

static void
attached_put(struct tables *t, uint32_t port, int64_t aggregate)
{
	number_put(t, (uint32_t[]){ 1, 2, 840, 10006, 300, 43, 1, 2, 1, 1, 13, port }, 12, aggregate);
}

static void
stack_put(struct tables *t, uint32_t higher, uint32_t lower, int64_t status)
{
	number_put(t, (uint32_t[]){ 1, 3, 6, 1, 2, 1, 31, 1, 2, 1, 3, higher, lower }, 13, status);
}

static size_t
step_named(const char *name)
{
	size_t i = 0;

	while (!str_eq(poll_steps[i].name, name))
		i++;
	return i;
}

static bool
step_wanted(const struct tables *t, const char *name)
{
	return poll_steps[step_named(name)].wanted(t);
}

/* Ports 1 to 6, aggregates 101 (up) and 102, 103 that is a Port-channel, 104 a VLAN; then the steps of a poll: what the switch says
 * of aggregates is put when it is asked. */
static struct tables *
tables_with_aggregates(uint32_t oper)
{
	struct tables *t = tables_new(1000);

	assert_non_null(t);
	for (uint32_t i = 1; i <= 6; i++)
		interface_put(t, i, "port", ETHERNET, UP);
	interface_put(t, 101, "lag 1", LAG, oper);
	interface_put(t, 102, "lag 2", LAG, DOWN);
	interface_put(t, 103, "Port-channel1", PROP_VIRTUAL, DOWN);
	interface_put(t, 104, "Vlan1", PROP_VIRTUAL, UP);
	tables_step_done(t, step_named("ifTable"), true, NULL);
	return t;
}

/* What memory the last poll left or was expected to take says nothing of this one: the same rows, the same sum. */
static void
arrays_of_the_last_poll(void **state)
{
	static const struct tables_size sizes[] = { { 0, 0, 0 }, { 1, 1, 1 }, { 5000, 5000, 5000 }, { SIZE_MAX, SIZE_MAX, SIZE_MAX } };

	(void)state;
	for (uint32_t n = 1; n <= 2000; n = n * 5 + 3)
		for (size_t i = 0; i < 2 * nitems(sizes); i++) {
			struct tables *t = tables_new(262144);
			static uint64_t sum;

			tables_seed(t, 1);
			tables_expect(t, sizes[i / 2]);
			for (uint32_t k = 1; k <= n; k++)
				interface_put(t, k, "port", ETHERNET, UP);
			assert_true(i == 0 || tables_sum(t) == sum);
			sum = tables_sum(t);
			assert_int_equal(tables_join(t), 0);
			assert_int_equal(tables_n_rows(t), n + 1);	/* and the switch itself */
			tables_free(t);
			if (i % 2 == 1)
				tables_tidy();
		}
}

static void
dropped_count(void *arg, const char *kind, const char *text, uint32_t count)
{
	if (str_eq(kind, "dropped") && strncmp(text, "LAG: ", 5) == 0)
		*(uint32_t *)arg += count;
}

/* `want`: for each port from 1 on its aggregate, or 0. */
static void
assert_members(struct tables *t, const uint32_t want[static 6], uint32_t want_dropped)
{
	uint32_t dropped = 0, got[7] = { 0 };
	struct row row;
	size_t at = 0;

	for (size_t i = 0; i < poll_n_steps; i++)
		if (poll_steps[i].wanted == NULL || poll_steps[i].wanted(t))
			tables_step_done(t, i, true, NULL);
	assert_int_equal(tables_join(t), 0);
	while (tables_next(t, &at, &row)) {
		if (row.kind != ROW_LAG)
			continue;
		assert_in_range(row.lag.member, 1, 6);
		assert_int_equal(got[row.lag.member], 0);
		got[row.lag.member] = row.lag.if_index;
	}
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(got[i + 1], want[i]);
	tables_diagnostics(t, dropped_count, &dropped);
	assert_int_equal(dropped, want_dropped);
	assert_int_equal(tables_complete(t), ROW_ALL);
	tables_free(t);
}

/* No aggregate that is up: no question. The second table only where the first attaches nothing. */
static void
aggregates_are_asked_for_where_there_are_some(void **state)
{
	struct tables *t = tables_with_interfaces();

	(void)state;
	tables_step_done(t, step_named("ifTable"), true, NULL);
	assert_false(step_wanted(t, "dot3adAggPort") || step_wanted(t, "ifStack"));
	tables_free(t);
	t = tables_with_aggregates(DOWN);
	assert_false(step_wanted(t, "dot3adAggPort") || step_wanted(t, "ifStack"));
	interface_put(t, 105, "Port-channel2", PROP_VIRTUAL, UP);
	tables_step_done(t, step_named("ifTable"), true, NULL);
	assert_true(step_wanted(t, "dot3adAggPort"));
	tables_free(t);
	t = tables_with_aggregates(UP);
	assert_true(step_wanted(t, "dot3adAggPort"));
	assert_false(step_wanted(t, "ifStack"));
	attached_put(t, 1, 0);
	attached_put(t, 2, 2);			/* alone */
	tables_step_done(t, step_named("dot3adAggPort"), true, NULL);
	assert_true(step_wanted(t, "ifStack"));
	attached_put(t, 3, 101);
	assert_false(step_wanted(t, "ifStack"));
	tables_free(t);
}

static void
members_by_either_table(void **state)
{
	struct tables *t = tables_with_aggregates(UP);

	(void)state;
	attached_put(t, 1, 101);
	attached_put(t, 2, 101);
	attached_put(t, 3, 3);
	attached_put(t, 4, 0);
	attached_put(t, 5, 103);
	assert_members(t, (uint32_t[]){ 101, 101, 0, 0, 103, 0 }, 0);
	t = tables_with_aggregates(UP);
	attached_put(t, 1, 0);			/* a static group: the first table knows nothing of it */
	stack_put(t, 101, 1, 1);
	stack_put(t, 101, 2, 1);
	stack_put(t, 102, 3, 2);		/* not in service */
	stack_put(t, 103, 4, 1);
	stack_put(t, 104, 5, 1);		/* a VLAN */
	stack_put(t, 104, 101, 1);
	stack_put(t, 102, 101, 1);		/* a unit over an aggregate */
	stack_put(t, 101, 0, 1);
	stack_put(t, 0, 101, 1);
	assert_members(t, (uint32_t[]){ 101, 101, 0, 103, 0, 0 }, 0);
}

/* Wrong is worse than unknown: what names no interface or no aggregate, and what two tables, or one of them, contradict. */
static void
lies_about_members_are_dropped(void **state)
{
	struct tables *t = tables_with_aggregates(UP);

	(void)state;
	attached_put(t, 1, 101);
	attached_put(t, 2, 999);		/* no such interface */
	attached_put(t, 3, 4);			/* a number that happens to be a port */
	attached_put(t, 4, 104);		/* a VLAN */
	attached_put(t, 5, -1);
	attached_put(t, 6, INT64_MAX);
	attached_put(t, 77, 101);		/* a member that is not there */
	attached_put(t, 102, 101);		/* an aggregate in an aggregate */
	assert_members(t, (uint32_t[]){ 101, 0, 0, 0, 0, 0 }, 7);
	t = tables_with_aggregates(UP);
	attached_put(t, 1, 101);
	attached_put(t, 2, 101);
	attached_put(t, 3, 0);
	stack_put(t, 101, 1, 1);		/* agreed */
	stack_put(t, 102, 2, 1);		/* another one */
	stack_put(t, 101, 3, 1);		/* which the first table says is none */
	stack_put(t, 101, 4, 1);		/* of which it says nothing */
	stack_put(t, 101, 5, 1);
	stack_put(t, 102, 5, 1);		/* two at once */
	stack_put(t, 101, 88, 1);
	assert_members(t, (uint32_t[]){ 101, 0, 0, 101, 0, 0 }, 4);
}

/* Interfaces that were not read to their end take no member away. */
static void
members_are_as_complete_as_the_interfaces(void **state)
{
	struct tables *t = tables_new(1000);

	(void)state;
	assert_non_null(t);
	steps_done(t);
	tables_step_done(t, step_named("ifTable"), false, "no answer");
	assert_int_equal(tables_join(t), 0);
	assert_int_equal(tables_complete(t) & (ROW_BIT(ROW_LAG) | ROW_BIT(ROW_IFACE)), 0);
	tables_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phases_spread_and_hold),
		cmocka_unit_test(polls_keep_their_interval),
		cmocka_unit_test(dead_switches_are_asked_seldom),
		cmocka_unit_test(memory_of_a_switch_is_bounded),
		cmocka_unit_test(each_context_has_its_own_ports),
		cmocka_unit_test(unanswered_contexts_are_told),
		cmocka_unit_test(whole_table_in_each_context),
		cmocka_unit_test(vlans_in_use_are_asked),
		cmocka_unit_test(every_vlan_has_its_turn),
		cmocka_unit_test(aggregates_are_asked_for_where_there_are_some),
		cmocka_unit_test(arrays_of_the_last_poll),
		cmocka_unit_test(members_by_either_table),
		cmocka_unit_test(lies_about_members_are_dropped),
		cmocka_unit_test(members_are_as_complete_as_the_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

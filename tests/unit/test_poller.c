/* When a switch is asked next, and what its tables may take in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "poller/due.h"
#include "poller/tables.h"

enum { INTERVAL_S = 300, SWITCHES = 3000, BINS = 30 };

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
		bins[a * BINS / (INTERVAL_S * 1000 + 1)]++;
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
		{ "a big switch", 60000, 60000, 0, true }, { "too many rows", 150000, 70000, 0, false },
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
		tables_rows(t, &n);
		assert_true(n > cases[i].used);
		assert_true(n * sizeof(struct row) <= TABLES_BYTES_MAX);
		assert_int_equal(dropped == 0, cases[i].whole);
		assert_int_equal(tables_complete(t), cases[i].whole ? ROW_ALL : 0);
		tables_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phases_spread_and_hold),
		cmocka_unit_test(polls_keep_their_interval),
		cmocka_unit_test(dead_switches_are_asked_seldom),
		cmocka_unit_test(memory_of_a_switch_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

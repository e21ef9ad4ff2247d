/* tests/unit/test_proc_backoff.c: H2: a few ends are answered at once, a crash loop more and more slowly. Time is simulated. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/num.h"
#include "proc/backoff.h"

static void
five_ends_in_a_minute_are_answered_at_once(void **state)
{
	struct backoff b = { 0 };
	struct mono now = { 1000 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(backoff_ended(&b, now, mono_add(now, 10000)), 100);
		assert_false(backoff_loops(&b));
		now = mono_add(now, 10100);
	}
	assert_int_equal(backoff_ended(&b, now, now), 1000);
	assert_true(backoff_loops(&b));
}

static void
a_crash_loop_waits_longer_each_time_up_to_a_minute(void **state)
{
	static const int64_t waits[] = { 100, 100, 100, 100, 100, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000 };
	struct backoff b = { 0 };
	struct mono now = { 5 };

	(void)state;
	for (size_t i = 0; i < nitems(waits); i++) {
		struct mono started = now;
		int64_t wait;

		now = mono_add(now, 20);
		wait = backoff_ended(&b, started, now);
		assert_int_equal(wait, waits[i]);
		now = mono_add(now, wait);
	}
	assert_true(backoff_loops(&b));	/* the waits are longer than the window, and yet it is one loop */
}

static void
a_steady_life_forgives(void **state)
{
	struct backoff b = { 0 };
	struct mono now = { 0 };

	(void)state;
	for (int i = 0; i < 8; i++)
		backoff_ended(&b, now, now);
	assert_true(backoff_loops(&b));
	assert_int_equal(backoff_ended(&b, now, mono_add(now, 60000)), 8000);	/* a minute is not longer than a minute */
	assert_int_equal(backoff_ended(&b, now, mono_add(now, 60001)), 100);
	assert_false(backoff_loops(&b));
}

static void
ends_far_apart_are_no_loop(void **state)
{
	struct backoff b = { 0 };
	struct mono now = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++) {		/* five in 65 s, over and over */
		assert_int_equal(backoff_ended(&b, now, mono_add(now, 12900)), 100);
		now = mono_add(now, 13000);
	}
	assert_false(backoff_loops(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_ends_in_a_minute_are_answered_at_once),
		cmocka_unit_test(a_crash_loop_waits_longer_each_time_up_to_a_minute), cmocka_unit_test(a_steady_life_forgives),
		cmocka_unit_test(ends_far_apart_are_no_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

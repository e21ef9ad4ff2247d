/* tests/unit/test_map.c: the map against a plain array, with keys that crowd into few places. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/map.h"

#define KEYS 500

static uint64_t seed = 1;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static void
it_holds_what_was_put_and_not_deleted(void **state)
{
	const char *text = getenv("CAMTRAPD_SEED");
	static char values[KEYS];
	void *want[KEYS] = { 0 };
	uint64_t keys[KEYS];
	struct map m = { 0 };
	size_t count = 0;

	(void)state;
	seed = text != NULL ? strtoull(text, NULL, 10) : 20261124;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; i < KEYS; i++)
		keys[i] = i % 3 == 0 ? i : i % 3 == 1 ? (uint64_t)i << 40 : 0x4419b6000000u + i;	/* key 0 is one, too */
	for (int turn = 0; turn < 200000; turn++) {
		size_t i = draw(KEYS);

		if (draw(3) == 0) {
			map_del(&m, keys[i]);
			count -= want[i] != NULL;
			want[i] = NULL;
		} else {
			void *v = &values[draw(KEYS)];

			assert_int_equal(map_put(&m, keys[i], v), 0);
			count += want[i] == NULL;
			want[i] = v;
		}
		i = draw(KEYS);
		assert_ptr_equal(map_get(&m, keys[i]), want[i]);
		assert_int_equal(m.count, count);
	}
	for (size_t i = 0; i < KEYS; i++)
		assert_ptr_equal(map_get(&m, keys[i]), want[i]);
	map_free(&m);
	assert_null(map_get(&m, keys[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(it_holds_what_was_put_and_not_deleted) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

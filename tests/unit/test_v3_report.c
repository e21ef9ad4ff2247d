/* tests/unit/test_v3_report.c: a Report of an engine that we do not know: taken whole, and nothing else is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "notify/v3_report.h"

/* What snmptrapd sends when the inform was for another engine: user "alice", not authenticated. */
static const uint8_t whole[] = {
	0x30, 0x68, 0x02, 0x01, 0x03,
	0x30, 0x11, 0x02, 0x04, 0x12, 0x34, 0x56, 0x78, 0x02, 0x03, 0x00, 0xff, 0xe3, 0x04, 0x01, 0x00, 0x02, 0x01, 0x03,
	0x04, 0x20, 0x30, 0x1e, 0x04, 0x09, 0x80, 0x00, 0x1f, 0x88, 0x04, 'n', 'e', 'w', '1', 0x02, 0x01, 0x01, 0x02, 0x03, 0x01, 0x02, 0x03,
	0x04, 0x05, 'a', 'l', 'i', 'c', 'e', 0x04, 0x00, 0x04, 0x00,
	0x30, 0x2e, 0x04, 0x09, 0x80, 0x00, 0x1f, 0x88, 0x04, 'n', 'e', 'w', '1', 0x04, 0x00,
	0xa8, 0x1f, 0x02, 0x04, 0x7f, 0xff, 0xff, 0xff, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00,
	0x30, 0x11, 0x30, 0x0f, 0x06, 0x0a, 0x2b, 6, 1, 6, 3, 15, 1, 1, 4, 0, 0x41, 0x01 /* and the count */
};

enum { AT_VERSION = 4, AT_FLAGS = 20, AT_MODEL = 23, AT_ENGINE_LEN = 29, AT_PDU = 73, AT_COUNTER = 101 };

/* In memory of just that size, so that a look past the end is seen. */
static bool
parse(const uint8_t *p, size_t n, struct v3_report *r)
{
	uint8_t *copy = malloc(n + 1);
	struct v3_report mine;
	bool ok;

	assert_non_null(copy);
	memcpy(copy + 1, p, n);
	ok = v3_report_parse(copy + 1, n, &mine);
	if (ok) {
		assert_true(mine.engine_id > copy && mine.engine_id + mine.engine_id_len <= copy + 1 + n);
		assert_in_range(mine.engine_id_len, 5, 32);
		assert_int_not_equal(mine.counter, 0);
		*r = mine;
		r->engine_id = p + (mine.engine_id - copy - 1);
	}
	free(copy);
	return ok;
}

static void
make(uint8_t out[sizeof whole + 1])
{
	memcpy(out, whole, sizeof whole);
	out[sizeof whole] = 7;
}

static void
a_report_is_understood(void **state)
{
	uint8_t d[sizeof whole + 1];
	struct v3_report r;

	(void)state;
	make(d);
	assert_int_equal(d[1], sizeof d - 2);
	assert_true(parse(d, sizeof d, &r));
	assert_int_equal(r.msg_id, 0x12345678);
	assert_int_equal(r.counter, 4);
	assert_int_equal(r.engine_id_len, 9);
	assert_memory_equal(r.engine_id, "\x80\0\x1f\x88\4new1", 9);
}

static void
what_is_not_a_plain_report_is_not_taken(void **state)
{
	static const struct { const char *name; size_t at; uint8_t octet; } cases[] = {
		{ "version 2c", AT_VERSION, 1 }, { "encrypted", AT_FLAGS, 3 }, { "another security model", AT_MODEL, 2 }, { "an engine id past its end", AT_ENGINE_LEN, 0x7f },
		{ "a Response", AT_PDU, 0xa2 }, { "an inform", AT_PDU, 0xa6 }, { "another object", AT_COUNTER - 1, 2 }, { "no counter", AT_COUNTER, 0 },
		{ "a column of two octets", AT_COUNTER, 0x84 }, { "an instance that is not .0", AT_COUNTER + 1, 1 },
	};
	uint8_t d[sizeof whole + 2];
	struct v3_report r;

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		make(d);
		assert_int_not_equal(d[cases[i].at], cases[i].octet);
		d[cases[i].at] = cases[i].octet;
		if (parse(d, sizeof whole + 1, &r))
			fail_msg("taken: %s", cases[i].name);
	}
	make(d);
	d[sizeof whole + 1] = 0;
	assert_false(parse(d, sizeof d, &r));		/* something behind it */
	for (size_t n = 0; n < sizeof whole + 1; n++)
		assert_false(parse(d, n, &r));
}

/* Each octet as each value: read within its bounds, and what is taken is sane (parse()). */
static void
damaged_reports_are_harmless(void **state)
{
	uint8_t d[sizeof whole + 1];
	struct v3_report r;
	unsigned taken = 0;

	(void)state;
	make(d);
	for (size_t i = 0; i < sizeof d; i++) {
		uint8_t was = d[i];

		for (unsigned v = 0; v < 256; v++) {
			d[i] = (uint8_t)v;
			taken += parse(d, sizeof d, &r);
		}
		d[i] = was;
	}
	assert_in_range(taken, sizeof d, sizeof d * 128);	/* contents may be anything, what holds them not */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_is_understood),
		cmocka_unit_test(what_is_not_a_plain_report_is_not_taken),
		cmocka_unit_test(damaged_reports_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

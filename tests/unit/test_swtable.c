/* tests/unit/test_swtable.c: the table of a switch holds what the rows said, in any mixture, as the sets of packed rows that it comes
 * from do: these are tested by themselves (test_rows.c). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "model/swtable.h"
#include "draw.h"

/* Few values of each field, so that rows are alike, and some of each octet. */
static struct row
row_draw(void)
{
	struct row r = { .kind = (enum row_kind)draw(ROW_NKINDS) };

	switch (r.kind) {
	case ROW_FDB:
		r.fdb = (struct row_fdb){ .mac = mac_of_u64(0x4419b6000000 + draw(40)), .vlan = (uint16_t)(draw(3) * 2047), .if_index = draw(3) *
			0x1010101, .bridge_port = draw(3) * 0x10001, .status = (uint8_t)draw(FDB_MGMT + 1), .table = (uint8_t)draw(TABLE_N) };
		break;
	case ROW_IFACE:
		r.iface.if_index = 1 + draw(40);
		r.iface.oper = (uint8_t)draw(3);
		break;
	case ROW_NEIGHBOUR:
		r.neighbour.rem_index = draw(40);
		break;
	case ROW_ARP:
		r.arp.mac = mac_of_u64(draw(40));
		break;
	case ROW_LAG:
		r.lag = (struct row_lag){ .if_index = 100, .member = 1 + draw(20) };
		break;
	default:
		r.kind = ROW_SYSTEM;
		r.system.ageing_s = draw(3);
		break;
	}
	return r;
}

enum { ROWS = 300 };

static struct rowset
set_draw(void)
{
	struct buf packed[ROWS] = { 0 };
	struct row_ref refs[ROWS];
	size_t n = draw(ROWS + 1);
	struct rowset s;

	for (size_t i = 0; i < n; i++) {
		struct row r = row_draw();

		row_pack(&packed[i], &r);
		refs[i] = (struct row_ref){ packed[i].p, packed[i].len };
	}
	assert_int_equal(rowset_build(&s, refs, n), 0);
	for (size_t i = 0; i < n; i++)
		buf_free(&packed[i]);
	return s;
}

static struct rowset
set_copy(const struct rowset *s)
{
	struct rowset copy;

	assert_int_equal(rowset_load(&copy, s->bytes.p, s->bytes.len), 0);
	return copy;
}

/* Of a copy: the set stays. */
static struct swtable
table_draw_of(const struct rowset *s)
{
	struct rowset copy = set_copy(s);
	uint64_t bad = 0;
	struct swtable t;

	assert_int_equal(swtable_of(&t, &copy, &bad), 0);
	assert_int_equal(bad, 0);
	assert_int_equal(swtable_count(&t), s->count);
	return t;
}

static void
assert_is(const struct swtable *t, const struct rowset *s)
{
	struct buf got = { 0 }, want = { 0 };

	swtable_pack(t, &got);
	rowset_pack(s, &want);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.p, want.p, got.len);
	buf_free(&got), buf_free(&want);
}

static void
what_goes_in_comes_out(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct rowset s = set_draw();
		struct swtable t = table_draw_of(&s), again = table_draw_of(&s);

		assert_is(&t, &s);
		assert_true(swtable_same(&t, &again));
		swtable_free(&t), swtable_free(&again), rowset_free(&s);
	}
}

struct told { struct rowset removed, added; };

static void
told_add(struct rowset *to, const struct row_fdb *f)
{
	struct buf b = { 0 };

	row_fdb_pack(&b, f);
	assert_int_equal(b.len, ROW_FDB_OCTETS);
	put_octets(&to->bytes, b.p, b.len);
	to->count++;
	buf_free(&b);
}

static void
was_removed(void *arg, const struct row_fdb *f)
{
	told_add(&((struct told *)arg)->removed, f);
}

static void
was_added(void *arg, const struct row_fdb *f)
{
	told_add(&((struct told *)arg)->added, f);
}

static void
set_add(struct rowset *to, struct row_ref r)
{
	if (r.p[0] != ROW_FDB)
		return;
	put_octets(&to->bytes, r.p, r.n);
	to->count++;
}

static void
set_removed(void *arg, struct row_ref r)
{
	set_add(&((struct told *)arg)->removed, r);
}

static void
set_added(void *arg, struct row_ref r)
{
	set_add(&((struct told *)arg)->added, r);
}

static void
told_same(const struct rowset *a, const struct rowset *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->bytes.len, b->bytes.len);
	if (a->bytes.len > 0)
		assert_memory_equal(a->bytes.p, b->bytes.p, a->bytes.len);
}

static void
differences_and_what_is_kept_are_those_of_the_sets(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		struct rowset sa = set_draw(), sb = draw(8) == 0 ? set_copy(&sa) : set_draw();
		struct swtable a = table_draw_of(&sa), b = table_draw_of(&sb);
		unsigned complete = draw(ROW_ALL + 1);
		struct told got = { 0 }, want = { 0 };

		fdb_diff(&a.fdb, &b.fdb, was_removed, was_added, &got);
		rowset_diff(&sa, &sb, set_removed, set_added, &want);
		told_same(&got.removed, &want.removed);
		told_same(&got.added, &want.added);
		assert_int_equal(swtable_same(&a, &b), sa.bytes.len == sb.bytes.len &&
		    (sa.bytes.len == 0 || memcmp(sa.bytes.p, sb.bytes.p, sa.bytes.len) == 0));
		assert_int_equal(swtable_keep(&b, &a, complete), 0);
		assert_int_equal(rowset_keep(&sb, &sa, complete), 0);
		assert_is(&b, &sb);
		rowset_free(&got.removed), rowset_free(&got.added), rowset_free(&want.removed), rowset_free(&want.added);
		swtable_free(&a), swtable_free(&b), rowset_free(&sa), rowset_free(&sb);
	}
}

/* More different ports than two octets count. */
static void
every_row_may_say_something_else(void **state)
{
	enum { MANY = 70000 };
	struct rowset s = { 0 };
	struct swtable t;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		const struct row_fdb f = { .mac = mac_of_u64(i + 1), .if_index = i * 3, .bridge_port = i };

		told_add(&s, &f);
	}
	t = table_draw_of(&s);
	assert_int_equal(t.fdb.n_said, MANY);
	assert_is(&t, &s);
	swtable_free(&t), rowset_free(&s);
}

static void
rows_of_the_mac_table_that_are_none_are_left_out_and_counted(void **state)
{
	static const uint8_t bad[] = { ROW_FDB, 0xff, 0xff };
	struct row r = { .kind = ROW_FDB, .fdb = { .mac = mac_of_u64(5), .if_index = 3 } };
	struct buf b = { 0 };
	struct row_ref refs[2] = { { bad, sizeof bad } };
	struct rowset s;
	struct swtable t;
	uint64_t count = 0;

	(void)state;
	row_pack(&b, &r);
	refs[1] = (struct row_ref){ b.p, b.len };
	assert_int_equal(rowset_build(&s, refs, 2), 0);
	assert_int_equal(swtable_of(&t, &s, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(swtable_count(&t), 1);
	assert_int_equal(fdb_row(&t.fdb, 0).if_index, 3);
	swtable_free(&t), buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out), cmocka_unit_test(differences_and_what_is_kept_are_those_of_the_sets),
		cmocka_unit_test(every_row_may_say_something_else), cmocka_unit_test(rows_of_the_mac_table_that_are_none_are_left_out_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/unit/test_rows.c: packed rows and rowsets: what goes in comes out, differences applied give the new set, and octets of
 * another process or a damaged file never pass. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "model/rows.h"
#include "model/rowset.h"
#include "draw.h"

static struct row
row_of(unsigned n)
{
	struct row r = { .kind = ROW_FDB };

	r.fdb.mac = mac_of_u64(0x0014220000ull << 8 | n);
	r.fdb.vlan = (uint16_t)(1 + n % 4094);
	r.fdb.if_index = 10100 + n % 48;
	r.fdb.bridge_port = 1 + n % 48;
	r.fdb.status = FDB_LEARNED;
	r.fdb.table = TABLE_DOT1Q;
	return r;
}

/* A set of the numbers whose bit is drawn. */
static struct rowset
draw_set(unsigned share)
{
	struct row_ref refs[200];
	struct buf packed[200] = { 0 };
	struct rowset s;
	size_t n = 0;

	for (unsigned i = 0; i < nitems(refs); i++) {
		struct row r = row_of(i);

		if (draw(100) >= share)
			continue;
		row_pack(&packed[n], &r);
		refs[n] = (struct row_ref){ packed[n].p, packed[n].len };
		n++;
	}
	assert_int_equal(rowset_build(&s, refs, n), 0);
	assert_int_equal(s.count, n);
	for (size_t i = 0; i < n; i++)
		buf_free(&packed[i]);
	return s;
}

struct delta { struct row_ref removed[200], added[200]; size_t n_removed, n_added; };

static void
delta_removed(void *arg, struct row_ref r)
{
	struct delta *d = arg;

	d->removed[d->n_removed++] = r;
}

static void
delta_added(void *arg, struct row_ref r)
{
	struct delta *d = arg;

	d->added[d->n_added++] = r;
}

/* By membership in a list of rows, one bit for each set: nothing is shared with what is tested. */
#define UNIVERSE 150

static struct { uint8_t b[12]; size_t n; } universe[UNIVERSE];

static void
universe_draw(void)
{
	for (size_t i = 0; i < UNIVERSE; i++) {
		bool again = true;

		while (again) {
			universe[i].n = 1 + draw(sizeof universe[i].b);
			for (size_t k = 0; k < universe[i].n; k++)
				universe[i].b[k] = (uint8_t)(draw(3) == 0 ? 0xff : draw(2));	/* many are the beginning of others */
			universe[i].b[0] = (uint8_t)draw(ROW_NKINDS);
			again = false;
			for (size_t k = 0; k < i && !again; k++)
				again = universe[k].n == universe[i].n && memcmp(universe[k].b, universe[i].b, universe[i].n) == 0;
		}
	}
}

static void
members_draw(bool member[static UNIVERSE])
{
	unsigned share = draw(101);

	for (size_t i = 0; i < UNIVERSE; i++)
		member[i] = draw(100) < share;
}

/* In any order, some twice. */
static struct rowset
set_of(const bool member[static UNIVERSE])
{
	struct row_ref refs[2 * UNIVERSE];
	struct rowset s;
	size_t n = 0, start = draw(UNIVERSE);

	for (size_t i = 0; i < UNIVERSE; i++) {
		size_t k = (i * 7 + start) % UNIVERSE;

		for (unsigned twice = draw(4) == 0 ? 2 : 1; member[k] && twice > 0; twice--)
			refs[n++] = (struct row_ref){ universe[k].b, universe[k].n };
	}
	assert_int_equal(rowset_build(&s, refs, n), 0);
	return s;
}

/* Marks the rows of the set; each must be one of the universe, in ascending order. */
static void
members_of(const struct rowset *s, bool member[static UNIVERSE])
{
	struct row_ref r;
	size_t n = 0;

	memset(member, 0, UNIVERSE * sizeof *member);
	for (size_t at = 0; rowset_next(s, &at, &r); n++) {
		size_t i = 0;

		while (i < UNIVERSE && (universe[i].n != r.n || memcmp(universe[i].b, r.p, r.n) != 0))
			i++;
		assert_true(i < UNIVERSE && !member[i]);
		member[i] = true;
	}
	assert_int_equal(n, s->count);
}

/* The rows told are those of the universe that `told` says. */
static void
rows_are(const struct row_ref *rows, size_t n, const bool told[static UNIVERSE])
{
	size_t want = 0;

	for (size_t i = 0; i < UNIVERSE; i++)
		want += told[i];
	assert_int_equal(n, want);
	for (size_t k = 0; k < n; k++) {
		size_t i = 0;

		while (i < UNIVERSE && (universe[i].n != rows[k].n || memcmp(universe[i].b, rows[k].p, universe[i].n) != 0))
			i++;
		assert_true(i < UNIVERSE && told[i]);
	}
}

static void
sets_are_what_a_list_of_members_says(void **state)
{
	static bool before[UNIVERSE], after[UNIVERSE], want[UNIVERSE], got[UNIVERSE];

	(void)state;
	print_message("seed %u\n", seed);
	for (int round = 0; round < 400; round++) {
		unsigned complete = draw(ROW_ALL + 1);
		struct rowset sb, sa, loaded;
		struct delta d = { 0 };

		universe_draw();
		members_draw(before), members_draw(after);
		sb = set_of(before), sa = set_of(after);
		members_of(&sb, got);
		assert_memory_equal(got, before, sizeof got);
		assert_int_equal(rowset_load(&loaded, sb.bytes.p, sb.bytes.len), 0);
		assert_int_equal(loaded.count, sb.count);
		rowset_diff(&sb, &sa, delta_removed, delta_added, &d);
		for (size_t i = 0; i < UNIVERSE; i++)
			want[i] = before[i] && !after[i];
		rows_are(d.removed, d.n_removed, want);
		for (size_t i = 0; i < UNIVERSE; i++)
			want[i] = after[i] && !before[i];
		rows_are(d.added, d.n_added, want);
		/* An incomplete table adds and never removes. */
		assert_int_equal(rowset_keep(&sa, &sb, complete), 0);
		members_of(&sa, got);
		for (size_t i = 0; i < UNIVERSE; i++)
			assert_int_equal(got[i], after[i] || (before[i] && (complete & ROW_BIT(universe[i].b[0])) == 0));
		rowset_free(&sb), rowset_free(&sa), rowset_free(&loaded);
	}
}

static void
octets_that_are_no_set_are_refused(void **state)
{
	static const struct { const char *name; uint8_t b[12]; size_t n; } cases[] = {
		{ "half a length",		{ 0 }, 1 },
		{ "a row of nothing",		{ 0, 0 }, 2 },
		{ "longer than there is",	{ 0, 2, ROW_FDB }, 3 },
		{ "twice the same",		{ 0, 1, ROW_FDB, 0, 1, ROW_FDB }, 6 },
		{ "descending",			{ 0, 1, ROW_ARP, 0, 1, ROW_FDB }, 6 },
		{ "a kind that there is not",	{ 0, 1, ROW_NKINDS }, 3 },
		{ "a kind beyond any bit",	{ 0, 1, 0xff }, 3 },
	};
	struct rowset s;

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s\n", cases[i].name);
		assert_true(rowset_load(&s, cases[i].b, cases[i].n) < 0);
		assert_true(s.count == 0 && s.bytes.len == 0);
	}
	assert_int_equal(rowset_load(&s, NULL, 0), 0);
}

static void
a_damaged_blob_is_refused(void **state)
{
	struct rowset s = draw_set(50), got;
	struct buf blob = { 0 };

	(void)state;
	rowset_pack(&s, &blob);
	assert_int_equal(rowset_unpack(blob.p, blob.len, &got), 0);
	assert_int_equal(got.count, s.count);
	rowset_free(&got);
	for (size_t n = 0; n < blob.len; n++)
		assert_true(rowset_unpack(blob.p, n, &got) < 0);
	for (size_t i = 0; i < blob.len; i++) {
		blob.p[i] ^= 0x10;
		assert_true(rowset_unpack(blob.p, blob.len, &got) < 0);
		blob.p[i] ^= 0x10;
	}
	buf_free(&blob);
	rowset_free(&s);
}

static void
rows_round_trip(void **state)
{
	struct row in = { .kind = ROW_NEIGHBOUR }, out;
	struct buf b = { 0 };

	(void)state;
	in.neighbour.table = TABLE_LLDP;
	in.neighbour.if_index = 10107;
	in.neighbour.n_mgmt = 1;
	assert_int_equal(ip_parse("192.0.2.9", &in.neighbour.mgmt[0]), 0);
	assert_true(octets_set(&in.neighbour.med_maker, "HIKVISION \0", 11));
	assert_true(octets_set(&in.neighbour.chassis, "\x44\x19\xb6\x01\x02\x03", 6));
	row_pack(&b, &in);
	assert_int_equal(row_unpack(b.p, b.len, &out), 0);
	assert_int_equal(out.neighbour.if_index, 10107);
	assert_int_equal(out.neighbour.med_maker.n, 9);
	assert_memory_equal(out.neighbour.med_maker.p, "HIKVISION", 9);
	row_free(&out);
	for (size_t n = 0; n < b.len; n++)
		assert_true(row_unpack(b.p, n, &out) < 0);
	for (size_t i = 0; i < b.len; i++) {		/* any one octet wrong: refused or read, never a crash */
		b.p[i] ^= 0x80;
		if (row_unpack(b.p, b.len, &out) == 0)
			row_free(&out);
		b.p[i] ^= 0x80;
	}
	row_free(&in);
	buf_free(&b);
}

static void
a_member_is_of_something_else(void **state)
{
	static const struct { const char *name; struct row_lag lag; bool good; } cases[] = {
		{ "a member", { 101, 1, TABLE_DOT3AD }, true }, { "of itself", { 1, 1, TABLE_DOT3AD }, false },
		{ "of nothing", { 0, 1, TABLE_IFSTACK }, false }, { "nothing", { 101, 0, TABLE_IFSTACK }, false },
		{ "by no table", { 101, 1, TABLE_N }, false } };

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct row in = { .kind = ROW_LAG, .lag = cases[i].lag }, out;
		struct buf b = { 0 };

		print_message("%s\n", cases[i].name);
		row_pack(&b, &in);
		assert_int_equal(row_unpack(b.p, b.len, &out) == 0, cases[i].good);
		if (cases[i].good)
			assert_true(out.kind == ROW_LAG && out.lag.if_index == 101 && out.lag.member == 1 && out.lag.table == TABLE_DOT3AD);
		for (size_t n = 0; n < b.len; n++)
			assert_true(row_unpack(b.p, n, &out) < 0);
		buf_free(&b);
	}
}

/* The short way to the address of one MAC finds what the long way finds, in octets of any kind. */
static void
an_address_of_one_mac(void **state)
{
	unsigned found = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct row in = { .kind = ROW_ARP, .arp = { .if_index = draw(2), .table = TABLE_MEDIA } }, all;
		struct mac mac = mac_of_u64(0x4419b6010200 + draw(2));
		struct buf b = { 0 };
		struct row_arp one;
		bool is;

		in.arp.ip = ip_of((const uint8_t *)"\x44\x19\xb6\x01\x02\0\x44\x19\xb6\x01\x02\0\x44\x19\xb6\x01", draw(2) == 0 ? 4 : 16);
		in.arp.mac = mac_of_u64(0x4419b6010200 + draw(2));
		if (draw(8) == 0)
			in = row_of(draw(256));
		row_pack(&b, &in);
		if (draw(4) == 0)
			b.p[draw((unsigned)b.len)] ^= (uint8_t)(1u << draw(8));
		if (draw(4) == 0)
			b.len = draw((unsigned)b.len);
		is = row_unpack(b.p, b.len, &all) == 0 && all.kind == ROW_ARP && mac_eq(all.arp.mac, mac);
		assert_int_equal(row_arp_unpack(b.p, b.len, mac, &one), is);
		if (is)
			assert_true(ip_eq(&one.ip, &all.arp.ip) && mac_eq(one.mac, mac) && one.if_index == all.arp.if_index);
		found += is;
		row_free(&all);
		buf_free(&b);
	}
	assert_in_range(found, 20000, 50000);
}

static void
macs_in_any_spelling(void **state)
{
	static const struct { const char *text; int good; } cases[] = {
		{ "44:19:b6:01:02:03", 1 }, { "44-19-B6-01-02-03", 1 }, { "4419.b601.0203", 1 }, { "4419b6010203", 1 },
		{ "44:19:b6:1:2:3", 1 }, { "4419b6-010203", 1 }, { "", 0 }, { "44:19:b6:01:02", 0 }, { "44:19:b6:01:02:03:04", 0 },
		{ "44:19-b6:01:02:03", 0 }, { "44:19:b6:01:02:0g", 0 }, { ":44:19:b6:01:02:03", 0 }, { "44:19:b6:01:02:03:", 0 },
		{ "192.0.2.1", 0 }, { "4419b6-010203", 1 }, { "44 19 b6 01 02 03", 1 }, { "44.19.b6.01.02.03", 1 },
		{ "44:19b6:010203", 0 }, { "ab:0123456789", 0 }, { "4.4.1.9.b.6.0.1.0.2.0.3", 0 }, { "441.9b6.010.203", 0 }, { "44::19b6010203", 0 },
	};
	struct mac m;
	char text[MAC_TEXT];

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s\n", cases[i].text);
		assert_int_equal(mac_parse(cases[i].text, &m) == 0, cases[i].good);
		if (cases[i].good)
			assert_string_equal(mac_text(m, text), "44:19:b6:01:02:03");
	}
	mac_parse("00:00:0c:9f:f0:01", &m);
	assert_true(mac_is_virtual_router(m));
	mac_parse("00:00:0c:9e:f0:01", &m);
	assert_false(mac_is_virtual_router(m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_what_a_list_of_members_says), cmocka_unit_test(octets_that_are_no_set_are_refused),
		cmocka_unit_test(a_damaged_blob_is_refused), cmocka_unit_test(rows_round_trip), cmocka_unit_test(a_member_is_of_something_else),
		cmocka_unit_test(an_address_of_one_mac), cmocka_unit_test(macs_in_any_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

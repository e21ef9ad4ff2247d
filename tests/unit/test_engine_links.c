/* tests/unit/test_engine_links.c: links of which one end is an aggregate, and links that speak CDP only: which ports are uplinks,
 * where devices are, and what a liar makes of it. Rows go straight into the net; CAMTRAPD_SEED replays a drawn history. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "engine/locate.h"

enum { CORE, A, B, SWITCHES };
#define PO 5001				/* the aggregate of ports 1 and 2, where there is one */
#define CAMERA 0x4419b6010203ull

static const uint64_t own[SWITCHES] = { 0x001422000100ull, 0x001422000200ull, 0x001422000320ull };	/* ends that text would lose */
static const char *const names[SWITCHES] = { "core", "acc-a", "acc-b" };

static struct world {
	struct net		 net;
	struct conf_switch	 conf[SWITCHES];
	struct sw		*sw[SWITCHES];
	struct row		 rows[SWITCHES][200];
	size_t			 n[SWITCHES];
	int64_t			 since;
} w;

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	w.net.max_stations = 10000;
	for (int i = 0; i < SWITCHES; i++) {
		w.conf[i] = (struct conf_switch){ .key = (uint64_t)i + 1, .name = (char *)names[i],
			.address = { .ip = { 4, { 10, 0, 0, (uint8_t)(i + 1) } } } };
		assert_non_null(w.sw[i] = net_switch_add(&w.net, &w.conf[i]));
	}
	return 0;
}

static void
rows_clear(int sw)
{
	for (size_t i = 0; i < w.n[sw]; i++)
		row_free(&w.rows[sw][i]);
	w.n[sw] = 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < SWITCHES; i++)
		rows_clear(i);
	net_free(&w.net);
	return 0;
}

/* ---- what the switches say */

static struct row *
row_new(int sw, enum row_kind kind)
{
	struct row *r = &w.rows[sw][w.n[sw]++];

	assert_true(w.n[sw] <= nitems(w.rows[sw]));
	*r = (struct row){ .kind = kind };
	return r;
}

static void
text_set(struct octets *o, const char *text)
{
	assert_true(octets_set(o, text, strlen(text)));
}

static void
raw_set(struct octets *o, uint64_t mac)
{
	struct mac m = mac_of_u64(mac);

	assert_non_null(o->p = malloc(sizeof m.b));
	memcpy(o->p, m.b, o->n = sizeof m.b);
}

/* Ports Gi1/0/1 to Gi1/0/9 by ifDescr, "Gi1" by ifName; with the aggregate if `members` are given. */
static void
describe(int sw, const char *sys_name, const uint32_t *members, size_t n_members)
{
	struct row *r = row_new(sw, ROW_SYSTEM);
	char text[40];

	r->system.bridge = mac_of_u64(own[sw]);
	r->system.ageing_s = 300;
	text_set(&r->system.name, sys_name);
	for (uint32_t i = 1; i <= 9; i++) {
		r = row_new(sw, ROW_IFACE);
		r->iface = (struct row_iface){ .if_index = i, .oper = 1 };
		snprintf(text, sizeof text, "Gi%u", i);
		text_set(&r->iface.name, text);
		snprintf(text, sizeof text, "GigabitEthernet1/0/%u", i);
		text_set(&r->iface.descr, text);
	}
	if (n_members > 0) {
		r = row_new(sw, ROW_IFACE);
		r->iface = (struct row_iface){ .if_index = PO, .oper = 1 };
		text_set(&r->iface.name, "Po1");
	}
	for (size_t i = 0; i < n_members; i++)
		row_new(sw, ROW_LAG)->lag = (struct row_lag){ PO, members[i], TABLE_IFSTACK };
}
#define describe_lag(sw, name) describe(sw, name, (const uint32_t[]){ 1, 2 }, 2)
#define describe_plain(sw, name) describe(sw, name, NULL, 0)

static void
station(int sw, uint64_t mac, uint32_t port)
{
	row_new(sw, ROW_FDB)->fdb = (struct row_fdb){ mac_of_u64(mac), 20, port, 0, FDB_LEARNED, TABLE_DOT1Q };
}

/* `its_port` NULL: it says none that anybody knows. */
static void
lldp(int sw, uint32_t port, uint64_t chassis, const char *its_port)
{
	struct row_neighbour *nb = &row_new(sw, ROW_NEIGHBOUR)->neighbour;

	*nb = (struct row_neighbour){ .table = TABLE_LLDP, .if_index = port, .rem_index = (uint32_t)w.n[sw], .chassis_subtype = 4 };
	raw_set(&nb->chassis, chassis);
	nb->port_subtype = 5;
	if (its_port != NULL)
		text_set(&nb->port, its_port);
}

static struct row_neighbour *
cdp(int sw, uint32_t port, const char *device, const char *its_port)
{
	struct row_neighbour *nb = &row_new(sw, ROW_NEIGHBOUR)->neighbour;

	*nb = (struct row_neighbour){ .table = TABLE_CDP, .if_index = port, .rem_index = (uint32_t)w.n[sw] };
	text_set(&nb->chassis, device);
	text_set(&nb->port, its_port);
	return nb;
}

static void
table_into(struct net *net, struct sw *to, int sw, int64_t since)
{
	const struct net_listener nobody = { 0 };
	struct buf b[nitems(w.rows[0])] = { 0 };
	struct row_ref ref[nitems(b)];
	struct swtable table;
	struct rowset set;

	for (size_t i = 0; i < w.n[sw]; i++) {
		row_pack(&b[i], &w.rows[sw][i]);
		ref[i] = (struct row_ref){ b[i].p, b[i].len };
	}
	assert_int_equal(rowset_build(&set, ref, w.n[sw]), 0);
	assert_int_equal(swtable_of(&table, &set, &net->bad_rows), 0);
	assert_int_equal(net_table_set(net, to, &table, since, &nobody), 0);
	for (size_t i = 0; i < w.n[sw]; i++)
		buf_free(&b[i]);
}

static void
polled(int sw)
{
	table_into(&w.net, w.sw[sw], sw, ++w.since);
	w.sw[sw]->complete = ROW_ALL;
	w.sw[sw]->polls++;
	w.sw[sw]->complete_polls++;
	net_state_set(&w.net, w.sw[sw], SWITCH_OK);
}

/* Three rounds: doubts are settled. */
static void
sweeps(void)
{
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < SWITCHES; i++)
			if (w.n[i] > 0)
				polled(i);
		uplinks_decide(&w.net);
	}
}

static void
assert_uplink(int sw, uint32_t port, enum reason why, int towards)
{
	const struct port *p = sw_port(w.sw[sw], port);

	assert_non_null(p);
	if (p->why != why)
		print_message("%s %s: %s\n", names[sw], p->name, reason_word(p->why));
	assert_true(p->uplink);
	assert_int_equal(p->why, why);
	assert_ptr_equal(p->towards, towards < 0 ? NULL : w.sw[towards]);
}

static void
assert_no_uplink(int sw, uint32_t port, enum reason why)
{
	const struct port *p = sw_port(w.sw[sw], port);

	assert_non_null(p);
	if (p->why != why)
		print_message("%s %s: %s\n", names[sw], p->name, reason_word(p->why));
	assert_false(p->uplink);
	assert_int_equal(p->why, why);
}

static void
assert_at(uint64_t mac, int sw, const char *port)
{
	struct location l;

	locate(&w.net, mac_of_u64(mac), &l);
	assert_int_equal(l.verdict, VERDICT_ACCESS);
	assert_string_equal(l.place.switch_name, names[sw]);
	assert_string_equal(l.place.port, port);
}

/* ---- aggregates */

/* `fdb_port`: where acc-a has what is behind the aggregate. */
static void
lag_between_core_and_a(uint32_t fdb_port, bool port_ids)
{
	describe_lag(CORE, "core");
	describe_lag(A, "acc-a");
	lldp(CORE, 1, own[A], port_ids ? "Gi2" : NULL);		/* the cables may cross */
	lldp(CORE, 2, own[A], port_ids ? "Gi1" : NULL);
	lldp(A, 2, own[CORE], port_ids ? "Gi1" : NULL);
	lldp(A, 1, own[CORE], port_ids ? "Gi2" : NULL);
	station(CORE, CAMERA, PO);
	station(A, CAMERA, 5);
	station(CORE, CAMERA + 1, 7);
	station(A, CAMERA + 1, fdb_port);
}

static void
neighbours_on_members_vouch_for_the_aggregate(void **state)
{
	static const uint32_t fdb_ports[] = { PO, 1, 2 };

	for (size_t i = 0; i < nitems(fdb_ports) * 2; i++) {
		lag_between_core_and_a(fdb_ports[i / 2], i % 2);
		sweeps();
		assert_uplink(CORE, PO, REASON_UPLINK_NEIGHBOURS_AGREE, A);
		assert_uplink(A, PO, REASON_UPLINK_NEIGHBOURS_AGREE, CORE);
		for (uint32_t member = 1; member <= 2; member++) {
			assert_no_uplink(CORE, member, 0);
			assert_no_uplink(A, member, 0);
		}
		assert_at(CAMERA, A, "Gi5");
		assert_at(CAMERA + 1, CORE, "Gi7");
		assert_int_equal(sw_port(w.sw[A], PO)->stations, 1);
		assert_int_equal(sw_port(w.sw[A], fdb_ports[i / 2])->stations, fdb_ports[i / 2] == PO);
		teardown(state);
		setup(state);
	}
}

/* One MAC, two cables, and a switch that shows it on either. */
static void
a_server_with_two_cards_is_on_the_aggregate(void **state)
{
	(void)state;
	describe_lag(A, "acc-a");
	station(A, CAMERA, 1);
	station(A, CAMERA, 2);
	lldp(A, 1, CAMERA, "eth0");
	lldp(A, 2, CAMERA, "eth1");
	sweeps();
	assert_at(CAMERA, A, "Po1");
	assert_int_equal(sw_port(w.sw[A], PO)->stations, 1);
	rows_clear(A);
	describe_lag(A, "acc-a");
	lldp(A, 2, CAMERA, "eth1");		/* silent but for LLDP */
	sweeps();
	assert_at(CAMERA, A, "Po1");
}

static void
what_the_operator_says_of_a_member_he_says_of_the_aggregate(void **state)
{
	static const struct { const char *name, *uplink, *access; bool is; } cases[] = { { "a member", "Gi2", NULL, true },
		{ "by number", "1", NULL, true }, { "the aggregate", "Po1", NULL, true }, { "both", "Gi1", "Gi2", false } };

	for (size_t i = 0; i < nitems(cases); i++) {
		char *up[] = { (char *)cases[i].uplink }, *access[] = { (char *)cases[i].access };

		print_message("%s\n", cases[i].name);
		w.conf[A].uplinks = (struct strlist){ up, 1 };
		w.conf[A].access_ports = (struct strlist){ access, cases[i].access != NULL };
		describe_lag(A, "acc-a");
		station(A, CAMERA, PO);
		sweeps();
		if (cases[i].is)
			assert_uplink(A, PO, REASON_UPLINK_CONFIGURED, -1);
		else
			assert_no_uplink(A, PO, 0);
		assert_false(sw_port(w.sw[A], 1)->uplink || sw_port(w.sw[A], 2)->uplink);
		teardown(state);
		setup(state);
	}
}

/* D10: on one access port, by LLDP, by CDP or by both, with a port that exists, one that does not, or none. */
static void
d10_a_forger_gains_nothing_from_an_aggregate(void **state)
{
	static const char *const ports[] = { NULL, "Gi1", "Gi5", "Po1", "nowhere" };

	for (unsigned k = 0; k < 2 * 3 * nitems(ports); k++) {
		bool port_ids = k % 2;
		unsigned how = k / 2 % 3;
		const char *port = ports[k / 6];

		lag_between_core_and_a(PO, port_ids);
		if (how != 1)
			lldp(A, 9, own[CORE], port);
		if (how != 0)
			cdp(A, 9, "core", port != NULL ? port : "-");
		station(A, CAMERA + 9, 9);
		station(CORE, CAMERA + 9, PO);
		sweeps();
		assert_uplink(A, PO, REASON_UPLINK_NEIGHBOURS_AGREE, CORE);
		assert_no_uplink(A, 9, REASON_CONFLICT_NEIGHBOUR);
		assert_at(CAMERA + 9, A, "Gi9");
		teardown(state);
		setup(state);
	}
}

/* The other end says by CDP which port it is and by LLDP only that it is there: that row is no cable of its own, which a liar could
 * claim to be the end of. */
static void
d10_a_row_without_a_port_beside_one_that_names_it_is_not_open(void **state)
{
	(void)state;
	describe_plain(CORE, "core");
	describe_plain(A, "acc-a");
	lldp(CORE, 1, own[A], NULL);
	cdp(CORE, 1, "acc-a", "GigabitEthernet1/0/1");
	lldp(A, 1, own[CORE], NULL);
	cdp(A, 1, "core", "GigabitEthernet1/0/1");
	lldp(A, 9, own[CORE], NULL);		/* the only station there is silent */
	sweeps();
	assert_uplink(A, 1, REASON_UPLINK_NEIGHBOURS_AGREE, CORE);
	assert_uplink(CORE, 1, REASON_UPLINK_NEIGHBOURS_AGREE, A);
	assert_no_uplink(A, 9, REASON_CONFLICT_NEIGHBOUR);
}

/* Three members of which the other end hears one, and a forger: counted by cables he has no place among them. */
static void
d10_members_are_not_counted_as_cables(void **state)
{
	(void)state;
	describe(CORE, "core", (const uint32_t[]){ 1, 2, 3 }, 3);
	describe(A, "acc-a", (const uint32_t[]){ 1, 2, 3 }, 3);
	for (uint32_t i = 1; i <= 3; i++)
		lldp(CORE, i, own[A], NULL);
	lldp(A, 1, own[CORE], NULL);
	lldp(A, 9, own[CORE], NULL);
	sweeps();
	assert_false(sw_port(w.sw[A], 9)->uplink && sw_port(w.sw[A], 9)->why != REASON_UPLINK_ONE_SIDED);
}

static void
a_doubtful_membership_is_none(void **state)
{
	(void)state;
	describe_plain(A, "acc-a");
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 8, 1, TABLE_DOT3AD };	/* of two */
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 9, 1, TABLE_IFSTACK };
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 3, 2, TABLE_DOT3AD };	/* of one that is a member */
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 8, 3, TABLE_DOT3AD };
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 6, 7, TABLE_DOT3AD };	/* of each other */
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 7, 6, TABLE_DOT3AD };
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 8, 4, TABLE_DOT3AD };	/* said twice */
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 8, 4, TABLE_IFSTACK };
	row_new(A, ROW_LAG)->lag = (struct row_lag){ 99, 5, TABLE_DOT3AD };	/* no port of that number */
	station(A, CAMERA, 5);
	sweeps();
	assert_int_equal(sw_folded(w.sw[A], 1), 1);
	assert_int_equal(sw_folded(w.sw[A], 2), 2);
	assert_int_equal(sw_folded(w.sw[A], 3), 8);
	assert_int_equal(sw_folded(w.sw[A], 4), 8);
	assert_int_equal(sw_folded(w.sw[A], 6), 6);
	assert_int_equal(sw_folded(w.sw[A], 7), 7);
	struct location l;
	locate(&w.net, mac_of_u64(CAMERA), &l);
	assert_int_equal(l.verdict, VERDICT_UNKNOWN);
}

/* ---- a history of memberships: the index kept in step is the one made anew */

static uint64_t seed;

static uint32_t
draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % below;
}

static void
table_draw(void)
{
	uint32_t members[4];
	size_t n = draw(5);

	rows_clear(A);
	for (size_t i = 0; i < n; i++)
		members[i] = 1 + (uint32_t)i + draw(2);
	describe(A, "acc-a", members, n);
	if (draw(3) == 0)
		row_new(A, ROW_LAG)->lag = (struct row_lag){ 9, 1 + draw(5), TABLE_DOT3AD };
	for (uint32_t i = draw(60); i > 0; i--)
		station(A, CAMERA + draw(20), draw(8) == 0 ? PO : 1 + draw(9));
}

static void
assert_same_sightings(const struct net *a, const struct net *b, const struct sw *at)
{
	for (uint32_t i = 0; i < 20; i++) {
		const struct station *x = net_station(a, mac_of_u64(CAMERA + i)), *y = net_station(b, mac_of_u64(CAMERA + i));
		uint32_t nx = x != NULL ? station_n(x) : 0, ny = y != NULL ? station_n(y) : 0;

		assert_int_equal(nx, ny);
		for (uint32_t k = 0; k < nx; k++) {
			const struct sighting s = sighting_at(a, x, k);
			bool found = false;

			assert_ptr_equal(s.sw, at);
			for (uint32_t m = 0; m < ny; m++) {
				const struct sighting t = sighting_at(b, y, m);

				found |= s.if_index == t.if_index && s.vlan == t.vlan && s.rows == t.rows;
			}
			assert_true(found);
		}
	}
}

static void
the_index_follows_every_change_of_membership(void **state)
{
	const char *text = getenv("CAMTRAPD_SEED");

	(void)state;
	seed = text != NULL ? strtoull(text, NULL, 10) : 20261124;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 400; round++) {
		struct net anew = { .max_stations = 10000 };
		struct sw *sw = net_switch_add(&anew, &w.conf[A]);

		assert_non_null(sw);
		table_draw();
		polled(A);
		table_into(&anew, sw, A, 1);
		assert_same_sightings(&w.net, &anew, w.sw[A]);
		assert_int_equal(w.sw[A]->n_ports, sw->n_ports);
		for (size_t i = 0; i < sw->n_ports; i++)
			assert_int_equal(w.sw[A]->ports[i].stations, sw->ports[i].stations);
		net_free(&anew);
	}
}

static struct sighting
sighting_of(uint64_t mac)
{
	return sighting_at(&w.net, net_station(&w.net, mac_of_u64(mac)), 0);
}

/* What was there before its port became a member has not come with the aggregate. */
static void
a_station_does_not_come_anew_with_the_aggregate(void **state)
{
	int64_t first;

	(void)state;
	describe_plain(A, "acc-a");
	station(A, CAMERA, 1);
	polled(A);
	first = sighting_of(CAMERA).since;
	rows_clear(A);
	describe_lag(A, "acc-a");
	station(A, CAMERA, PO);			/* the aggregate is shown from now on */
	station(A, CAMERA + 1, 1);
	station(A, CAMERA, 1);
	polled(A);
	assert_int_equal(station_n(net_station(&w.net, mac_of_u64(CAMERA))), 1);
	assert_int_equal(sighting_of(CAMERA).if_index, PO);
	assert_int_equal(sighting_of(CAMERA).since, first);
	assert_int_equal(sighting_of(CAMERA + 1).since, w.since);
}

/* One row alone, or all of them, with one MAC each; and of one of them, whatever it was, the sighting is known. */
static void
one_mac_in_many_rows(bool on_one_port, uint32_t seen)
{
	enum { ROWS = 30000 };
	const struct net_listener nobody = { 0 };
	struct row_ref *ref = calloc(ROWS, sizeof *ref);
	struct buf *b = calloc(ROWS, sizeof *b);
	const struct station *st;

	for (uint32_t i = 0; i < ROWS; i++) {
		struct row r = { .kind = ROW_FDB, .fdb = { .mac = mac_of_u64(CAMERA), .vlan = 1, .if_index = on_one_port ? 1 : i + 1,
			.bridge_port = i + 1, .status = FDB_LEARNED } };

		row_pack(&b[i], &r);
	}
	for (uint32_t left = 0; left < ROWS; left += ROWS / 4 - 1) {	/* now all of them, now one alone */
		for (size_t all = ROWS; all > 0; all = all == ROWS ? 1 : 0) {
			struct swtable table;
			struct rowset set;

			for (size_t i = 0; i < all; i++)
				ref[i] = all == 1 ? (struct row_ref){ b[left].p, b[left].len } : (struct row_ref){ b[i].p, b[i].len };
			assert_int_equal(rowset_build(&set, ref, all), 0);
			assert_int_equal(swtable_of(&table, &set, &w.net.bad_rows), 0);
			assert_int_equal(net_table_set(&w.net, w.sw[A], &table, ++w.since, &nobody), 0);
			st = net_station(&w.net, mac_of_u64(CAMERA));
			assert_int_equal(station_n(st), all == 1 ? 1 : seen);
		}
		assert_int_equal(sighting_of(CAMERA).if_index, on_one_port ? 1 : left + 1);
	}
	for (size_t i = 0; i < ROWS; i++)
		buf_free(&b[i]);
	free(b);
	free(ref);
}

/* R3: 30,000 ports with one MAC cost no more than so many MACs; and whatever port is left is known, looked at before or not. */
static void
r3_one_mac_on_every_port_of_a_switch(void **state)
{
	(void)state;
	one_mac_in_many_rows(false, 64);
	assert_true(w.net.refused_stations >= 30000 - 64);	/* and counted */
}

/* More rows say so than are counted. */
static void
one_mac_in_many_rows_of_one_port(void **state)
{
	(void)state;
	one_mac_in_many_rows(true, 1);
}

/* ---- links that speak CDP only */

static void
cdp_names_switches_as_they_name_themselves(void **state)
{
	static const struct { const char *sys_name, *device; bool is; } cases[] = {
		{ "acc-a.example.net", "acc-a.example.net", true }, { "acc-a", "acc-a.example.net", true },
		{ "sw.example.net", "sw", true }, { "sw.example.net", "sw(FOC1234X0AB)", true },
		{ "sw.example.net", "sw.example.net(FOC1234X0AB)", true }, { "sw", "sw(00:14:22:00:02:00)", true },
		{ "sw.example.net", "sw.example.org", false }, { "sw", "sw2", false }, { "sw", "swx.example.net", false },
		{ "sw", "(sw)", false }, { "sw", "sw(", false }, { "10.0.0.9", "10", false }, { "10", "10.0.0.9", false },
		{ "sw", "", false }, { "", ".example.net", false }, { "", "()", false },
	};

	for (size_t i = 0; i < nitems(cases); i++) {
		print_message("%s calls itself %s\n", cases[i].sys_name, cases[i].device);
		describe_plain(CORE, "core");
		describe_plain(A, cases[i].sys_name);
		cdp(CORE, 3, cases[i].device, "GigabitEthernet1/0/1");
		cdp(A, 1, "core.example.net", "GigabitEthernet1/0/3");
		station(A, CAMERA, 5);
		station(CORE, CAMERA, 3);
		sweeps();
		if (cases[i].is) {
			assert_uplink(CORE, 3, REASON_UPLINK_NEIGHBOURS_AGREE, A);
			assert_uplink(A, 1, REASON_UPLINK_NEIGHBOURS_AGREE, CORE);
			assert_at(CAMERA, A, "Gi5");
		} else
			assert_null(w.sw[CORE]->neighbour_is[0]);
		teardown(state);
		setup(state);
	}
}

/* Two hosts of one name in two domains: the name alone says nothing. */
static void
cdp_a_shared_host_name_says_nothing(void **state)
{
	(void)state;
	describe_plain(CORE, "core");
	describe_plain(A, "sw.east.example.net");
	describe_plain(B, "sw.west.example.net");
	cdp(CORE, 1, "sw", "GigabitEthernet1/0/1");
	cdp(CORE, 2, "sw.west.example.net", "GigabitEthernet1/0/1");
	cdp(B, 1, "core", "GigabitEthernet1/0/2");
	sweeps();
	assert_null(w.sw[CORE]->neighbour_is[0]);
	assert_uplink(CORE, 2, REASON_UPLINK_NEIGHBOURS_AGREE, B);
	assert_no_uplink(CORE, 1, 0);
}

/* By the address it is polled at, and by a MAC as device id, which may end in what text would lose. */
static void
cdp_names_switches_by_address(void **state)
{
	struct row_neighbour *nb;

	(void)state;
	describe_plain(CORE, "core");
	describe_plain(A, "acc-a");
	describe_plain(B, "acc-b");
	nb = cdp(CORE, 1, "no name that we know", "GigabitEthernet1/0/1");
	nb->mgmt[nb->n_mgmt++] = w.conf[A].address.ip;
	nb = cdp(CORE, 2, "", "GigabitEthernet1/0/1");
	raw_set(&nb->chassis, own[B]);
	cdp(A, 1, "core", "GigabitEthernet1/0/1");
	cdp(B, 1, "core", "GigabitEthernet1/0/2");
	sweeps();
	assert_uplink(CORE, 1, REASON_UPLINK_NEIGHBOURS_AGREE, A);
	assert_uplink(CORE, 2, REASON_UPLINK_NEIGHBOURS_AGREE, B);
	assert_uplink(B, 1, REASON_UPLINK_NEIGHBOURS_AGREE, CORE);
}

/* The Port-channel of two recordings: CDP on its members, MACs on it. */
static void
cdp_on_members_vouches_for_the_aggregate(void **state)
{
	(void)state;
	describe_lag(CORE, "core");
	describe_lag(A, "acc-a");
	for (uint32_t i = 1; i <= 2; i++) {
		char port[40];

		snprintf(port, sizeof port, "GigabitEthernet1/0/%u", 3 - i);
		cdp(CORE, i, "acc-a.example.net", port);
		cdp(A, i, "core.example.net", port);
	}
	station(A, CAMERA, 5);
	station(CORE, CAMERA, PO);
	sweeps();
	assert_uplink(CORE, PO, REASON_UPLINK_NEIGHBOURS_AGREE, A);
	assert_uplink(A, PO, REASON_UPLINK_NEIGHBOURS_AGREE, CORE);
	assert_at(CAMERA, A, "Gi5");
}

static void
d10_cdp_is_one_sides_word_like_any_other(void **state)
{
	(void)state;
	describe_plain(CORE, "core");
	describe_plain(A, "acc-a");
	cdp(CORE, 3, "acc-a", "GigabitEthernet1/0/1");
	cdp(A, 1, "core", "GigabitEthernet1/0/3");
	cdp(A, 9, "core", "GigabitEthernet1/0/3");
	station(A, CAMERA, 9);
	station(CORE, CAMERA, 3);
	sweeps();
	assert_uplink(A, 1, REASON_UPLINK_NEIGHBOURS_AGREE, CORE);
	assert_no_uplink(A, 9, REASON_CONFLICT_NEIGHBOUR);
	assert_at(CAMERA, A, "Gi9");
}

static void
a_phone_that_speaks_cdp_is_a_phone(void **state)
{
	struct location l;

	(void)state;
	describe_plain(A, "acc-a");
	cdp(A, 5, "SEP001122334455", "Port 1")->cdp_caps = 0x490;
	station(A, CAMERA, 5);
	station(A, 0x001122334455, 5);
	sweeps();
	locate(&w.net, mac_of_u64(CAMERA), &l);
	assert_int_equal(l.verdict, VERDICT_ACCESS);
	assert_int_equal(l.reason, REASON_ACCESS_PHONE);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(neighbours_on_members_vouch_for_the_aggregate), CLAIM(a_server_with_two_cards_is_on_the_aggregate),
		CLAIM(what_the_operator_says_of_a_member_he_says_of_the_aggregate), CLAIM(d10_a_forger_gains_nothing_from_an_aggregate),
		CLAIM(d10_a_row_without_a_port_beside_one_that_names_it_is_not_open), CLAIM(d10_members_are_not_counted_as_cables),
		CLAIM(a_doubtful_membership_is_none), CLAIM(the_index_follows_every_change_of_membership),
		CLAIM(a_station_does_not_come_anew_with_the_aggregate), CLAIM(r3_one_mac_on_every_port_of_a_switch), CLAIM(one_mac_in_many_rows_of_one_port),
		CLAIM(cdp_names_switches_as_they_name_themselves),
		CLAIM(cdp_a_shared_host_name_says_nothing), CLAIM(cdp_names_switches_by_address),
		CLAIM(cdp_on_members_vouches_for_the_aggregate), CLAIM(d10_cdp_is_one_sides_word_like_any_other),
		CLAIM(a_phone_that_speaks_cdp_is_a_phone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/unit/engine_lab.c: builds tables, configurations and reports for the engine, and keeps what it gives out. */
#include "engine_lab.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/text.h"
#include "model/rows.h"
#include "model/rowset.h"

struct lab lab;
const uint64_t lab_bridge[SWITCHES] = { 0x001422000001, 0x001422000002, 0x001422000003 };
static const char *const names[SWITCHES] = { "core", "a", "b" };

/* ---- memory (the linker sends everybody's calls here) */

void	*__real_realloc(void *p, size_t n);
void	*__real_calloc(size_t n, size_t size);
void	*__wrap_realloc(void *p, size_t n);
void	*__wrap_calloc(size_t n, size_t size);

void *
__wrap_realloc(void *p, size_t n)
{
	return n > 0 && n == lab.no_realloc ? NULL : __real_realloc(p, n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return lab.no_calloc > 0 && size > 0 && n > lab.no_calloc / size ? NULL : __real_calloc(n, size);
}

/* ---- what the engine asks of others */

static void
poll_now(void *arg, uint64_t key)
{
	(void)arg;
	lab.polls_asked[key - 1]++;
}

static void
resync(void *arg, uint64_t key)
{
	(void)arg;
	lab.resyncs++;
	if (key >= 1 && key <= SWITCHES)
		lab.sum[key - 1] = 0;
}

static void
deliver(void *arg, const struct msg_deliver *m)
{
	(void)arg;
	assert_true(lab.n_out < nitems(lab.out));
	lab.out[lab.n_out++] = *m;
}

/* Never the same twice: event ids are made of it. */
static void
random_octets(void *arg, uint8_t *out, size_t n)
{
	(void)arg;
	lab.random++;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(lab.random >> 8 * (i % 8));
}

static void
answer(void *arg, uint32_t id, const char *json, size_t n, bool more)
{
	(void)arg, (void)id;
	put_bytes(&lab.answer, json, n);
	lab.answers += !more;
}

static const struct engine_ops ops = { poll_now, resync, deliver, random_octets, answer, NULL };

/* ---- configuration */

static struct policy_rule
rule_about(const char *vendor, enum rule_kind kind, const char *match)
{
	return (struct policy_rule){ .vendor = strdup(vendor), .kind = kind, .match = strdup(match), .basis = BASIS_OPERATOR, .cameras = true };
}

static void
policies_make(struct policies *p)
{
	struct policy_rule *rules = calloc(3, sizeof *rules);
	size_t n = 0;

	if (lab.policies == ABOUT_NOBODY) {
		rules[n++] = rule_about("Nobody", RULE_ORGANISATION, "Nobody");
	} else {
		rules[n++] = rule_about("Hikvision", RULE_ORGANISATION, "Hikvision");
		rules[n++] = rule_about("Hikvision", RULE_TEXT, "HIKVISION");
	}
	if (lab.policies == ABOUT_DELL_TOO)
		rules[n++] = rule_about("Dell", RULE_ORGANISATION, "Dell Inc.");
	p->n = 1;
	p->sets = calloc(1, sizeof *p->sets);
	p->sets[0] = (struct policy_set){ .name = strdup("test"), .n = n, .rules = rules };
}

static struct strlist
list_of_one(const char *text)
{
	struct strlist l = { 0 };

	if (text == NULL)
		return l;
	l.v = calloc(1, sizeof *l.v);
	l.v[l.n++] = strdup(text);
	return l;
}

static void
receivers_make(struct conf *c)
{
	if (lab.no_receivers)
		return;
	c->n_receivers = 2;
	c->receivers = calloc(2, sizeof *c->receivers);
	c->receivers[0] = (struct conf_receiver){ .name = strdup("noc"), .inform = true };
	c->receivers[1] = (struct conf_receiver){ .name = strdup("second"), .inform = true };
}

static struct conf *
conf_make(void)
{
	struct conf *c = calloc(1, sizeof *c);

	c->name = strdup("lab");
	c->heartbeat_s = 86400;
	c->retention_s = 86400;
	c->max_stations = lab.max_stations;
	c->n_sites = 2;
	c->sites = calloc(2, sizeof *c->sites);
	c->sites[0] = (struct conf_site){ .name = strdup("hq"), .sensitive = true, .page_existing = true };
	c->sites[1] = (struct conf_site){ .name = strdup("depot"), .page_existing = lab.page_depot };
	c->switches = calloc(SWITCHES, sizeof *c->switches);
	for (size_t i = 0; i < SWITCHES; i++) {
		struct conf_switch *sw = &c->switches[c->n_switches];

		if (lab.left_out[i])
			continue;
		*sw = (struct conf_switch){ .key = i + 1, .name = strdup(names[i]), .site = strdup(i == B ? "depot" : "hq") };
		sw->address.ip = (struct ip){ 4, { 192, 0, 2, lab.same_address ? 1 : (uint8_t)(i + 1) } };
		sw->address.port = lab.readdressed[i] ? 1161 : 161;
		sw->uplinks = list_of_one(lab.uplink[i]);
		sw->access_ports = list_of_one(lab.access_port[i]);
		c->n_switches++;
	}
	receivers_make(c);
	policies_make(&c->policies);
	return c;
}

void
lab_reconfigure(void)
{
	engine_configure(lab.engine, conf_make(), lab.registry, lab.now);
	lab_tick();
}

/* ---- begin and end */

void
lab_start(void)
{
	struct store_opened opened;

	assert_int_equal(store_open(&lab.store, lab.dir, lab.now.wall, &opened), 0);
	lab.engine = engine_new(conf_make(), lab.registry, lab.store, &opened, &ops, NULL, lab.now);
	assert_non_null(lab.engine);
	engine_notify_up(lab.engine, true, lab.now);
	memset(lab.sum, 0, sizeof lab.sum);
}

void
lab_crash(void)
{
	engine_free(lab.engine);
	store_close(lab.store);
	lab.engine = NULL;
}

void
lab_stop(void)
{
	engine_stop(lab.engine, lab.now);
	lab_crash();
}

void
lab_disk_full(bool full)
{
	struct rlimit r;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = full ? 1024 : r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static struct { long from, until, calls; int err; bool power; size_t sent; } disk;

static ssize_t
faulty_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (++disk.calls < disk.from || disk.calls >= disk.until)
		return pwrite(fd, p, n, at);
	if (disk.power && disk.calls == disk.from) {
		disk.sent = lab.n_out;
		if (pwrite(fd, p, n / 1024 * 512, at) < 0)
			fail_msg("half a write");
	}
	errno = disk.err;
	return -1;
}

void
lab_writes_fail(long from, long n, int err)
{
	static const char *const calls[] = { "pwrite", "pwrite64" };
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	for (size_t i = 0; i < nitems(calls); i++)
		assert_int_equal(vfs->xSetSystemCall(vfs, calls[i], (sqlite3_syscall_ptr)faulty_pwrite), SQLITE_OK);
	disk.calls = 0;
	disk.from = from != 0 ? from : LONG_MAX;
	disk.until = n < LONG_MAX - from ? from + n : LONG_MAX;
	disk.err = err;
	disk.power = false;
}

void
lab_power_fails(long at)
{
	lab_writes_fail(at, LONG_MAX, EIO);
	disk.power = true;
	disk.sent = SIZE_MAX;
}

size_t
lab_power_failed(void)
{
	return disk.sent;
}

long
lab_writes(void)
{
	return disk.calls;
}

int
lab_setup(void **state)
{
	static const char manuf[] = "#\n44:19:B6\tHik\tHikvision\n00:14:22\tDell\tDell Inc.\n";

	(void)state;
	memset(&lab, 0, sizeof lab);
	/* In memory where that is possible: what dies here is the process, never the machine. */
	snprintf(lab.dir, sizeof lab.dir, "%s/camtrapd-test-XXXXXX", access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(lab.dir));
	lab.now.mono.ms = 1000000;
	lab.now.wall.us = 4102444800000000;	/* 2100: whenever this is built, the clock was set */
	lab.acknowledge = true;
	lab.ports = 9;
	lab.max_stations = 1000;
	lab.registry = registry_new();
	assert_int_equal(registry_add(lab.registry, "manuf", manuf, sizeof manuf - 1, lab.now.wall), 0);
	assert_int_equal(registry_finish(lab.registry), 0);
	lab_start();
	return 0;
}

static void
dir_remove(const char *path)
{
	DIR *d = opendir(path);

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		unlinkat(dirfd(d), e->d_name, 0);	/* not "." and "..", which are folders */
	closedir(d);
	rmdir(path);
}

int
lab_teardown(void **state)
{
	(void)state;
	lab_disk_full(false);			/* a claim that failed may have left it so */
	lab_writes_fail(0, 0, 0);
	if (lab.engine != NULL)
		lab_stop();
	registry_free(lab.registry);
	buf_free(&lab.answer);
	dir_remove(lab.dir);
	return 0;
}

/* ---- tables */

struct packed { struct buf *v; size_t n, cap; };

static void
row_put(struct packed *p, struct row *r)
{
	assert_int_equal(array_grow((void **)&p->v, p->n, &p->cap, sizeof *p->v), 0);
	p->v[p->n] = (struct buf){ 0 };
	row_pack(&p->v[p->n++], r);
	row_free(r);
}

static void
put_neighbour(struct packed *p, uint32_t port, uint64_t mac, const char *maker)
{
	struct row r = { .kind = ROW_NEIGHBOUR };
	struct mac m = mac_of_u64(mac);

	r.neighbour.table = TABLE_LLDP;
	r.neighbour.if_index = port;
	r.neighbour.chassis_subtype = 4;
	octets_set(&r.neighbour.chassis, m.b, sizeof m.b);
	if (maker != NULL)
		octets_set(&r.neighbour.med_maker, maker, strlen(maker));
	row_put(p, &r);
}

/* Switch tables name the aggregate. */
static bool
has_lag(int sw)
{
	return lab.lag && sw != B;
}

static void
put_said(struct packed *p, const struct said *s, uint32_t rem_index)
{
	struct row r = { .kind = ROW_NEIGHBOUR };
	struct mac m = mac_of_u64(s->chassis);

	r.neighbour = (struct row_neighbour){ .table = s->cdp_caps != 0 ? TABLE_CDP : TABLE_LLDP, .if_index = s->port, .caps = s->caps,
		.caps_known = s->cdp_caps == 0, .cdp_caps = s->cdp_caps, .rem_index = rem_index, .port_subtype = 5 };
	if (s->cdp_caps != 0) {
		octets_set(&r.neighbour.chassis, s->name, strlen(s->name));
	} else {
		r.neighbour.chassis_subtype = 4;
		octets_set(&r.neighbour.chassis, m.b, sizeof m.b);
		octets_set(&r.neighbour.sys_name, s->name, s->name != NULL ? strlen(s->name) : 0);
	}
	octets_set(&r.neighbour.port, s->port_id, s->port_id != NULL ? strlen(s->port_id) : 0);
	row_put(p, &r);
}

static void
put_fdb(struct packed *p, uint64_t mac, uint32_t port, uint16_t vlan)
{
	struct row r = { .kind = ROW_FDB };

	r.fdb = (struct row_fdb){ mac_of_u64(mac), vlan, port, 0, FDB_LEARNED, TABLE_DOT1Q };
	row_put(p, &r);
}

/* What stands on the socket with this ifIndex. */
static uint32_t
socket_of(int sw, uint32_t if_index)
{
	return lab.renumbered[sw] && if_index >= 5 ? (if_index == 5 ? lab.ports : if_index - 1) : if_index;
}

static void
put_port(struct packed *p, uint32_t if_index, const char *prefix, uint32_t number)
{
	struct row r = { .kind = ROW_IFACE };
	char name[16];

	r.iface.if_index = if_index;
	r.iface.oper = 1;
	snprintf(name, sizeof name, "%s%u", prefix, number);
	octets_set(&r.iface.name, name, strlen(name));
	row_put(p, &r);
}

static void
put_lag(struct packed *p)
{
	struct row r = { .kind = ROW_LAG };

	put_port(p, LAB_LAG, "Po", 1);
	for (uint32_t member = 1; member <= 8; member += 7) {
		r.lag = (struct row_lag){ LAB_LAG, member, TABLE_DOT3AD };
		row_put(p, &r);
	}
}

static void
put_system_and_ports(struct packed *p, int sw)
{
	struct row r = { .kind = ROW_SYSTEM };

	r.system.bridge = mac_of_u64(lab_bridge[sw == B && lab.b_is_a ? A : sw]);
	r.system.ageing_s = 300;
	octets_set(&r.system.name, lab.sys_name != NULL ? lab.sys_name : names[sw], strlen(lab.sys_name != NULL ? lab.sys_name : names[sw]));
	row_put(p, &r);
	for (uint32_t i = 1; i <= lab.ports && !(sw == CORE && lab.core_has_no_ports); i++)
		put_port(p, i, "Gi", socket_of(sw, i));
	if (has_lag(sw))
		put_lag(p);
}

static void
put_stations(struct packed *p, int sw)
{
	const struct burst *b = &lab.burst;

	for (int i = 0; i < MACS; i++)
		if (lab.fdb[sw][i].mac != 0)
			put_fdb(p, lab.fdb[sw][i].mac, has_lag(sw) && lab.fdb[sw][i].port == 1 ? LAB_LAG : lab.fdb[sw][i].port,
			    lab.fdb[sw][i].vlan);
	for (uint32_t i = 0; sw == A && i < lab.borrowed; i++)
		put_fdb(p, lab_bridge[CORE], 10 + i, 20);
	for (uint32_t i = 0; sw == b->sw && i < b->n; i++) {
		put_fdb(p, CAMERA + b->from + i, b->port, 20);
		if (b->second_port != 0)
			put_fdb(p, CAMERA + b->from + i, b->second_port, 20);
	}
}

static void
put_neighbours(struct packed *p, int sw)
{
	if (lab.deaf) {
		put_fdb(p, lab_bridge[sw == CORE ? A : CORE], 1, 1);
		put_fdb(p, lab_bridge[sw == B ? A : B], sw == CORE ? 2 : 1, 1);
	} else if (sw == CORE) {
		put_neighbour(p, 2, lab_bridge[B], NULL);
		if (!lab.apart)
			put_neighbour(p, 1, lab_bridge[A], NULL);
	} else if (sw != A || !lab.apart)
		put_neighbour(p, 1, lab_bridge[CORE], NULL);
	if (has_lag(sw))
		put_neighbour(p, 8, lab_bridge[sw == CORE ? A : CORE], NULL);
	if (sw == A && lab.forged != 0)
		put_neighbour(p, 9, lab.forged, lab.says);
	for (uint32_t i = 0; sw == A && i < lab.claimed; i++)
		put_said(p, &(struct said){ .port = 10 + i, .chassis = lab_bridge[B], .name = "b", .port_id = "Gi1", .caps = CAP_BRIDGE }, i);
	for (uint32_t i = 0; sw == A && i < lab.crowd; i++)
		put_said(p, &(struct said){ .port = 8, .chassis = 0x00bb00000000 + i, .name = "x", .caps = CAP_BRIDGE }, i);
	for (size_t i = 0; i < nitems(lab.said); i++)
		if (lab.said[i].port != 0 && lab.said[i].sw == sw)
			put_said(p, &lab.said[i], (uint32_t)i);
}

static struct rowset
table_of(int sw)
{
	struct row arp = { .kind = ROW_ARP };
	struct packed p = { 0 };
	struct row_ref *refs;
	struct rowset out;

	put_system_and_ports(&p, sw);
	put_stations(&p, sw);
	put_neighbours(&p, sw);
	if (sw == CORE && lab.arp) {
		arp.arp = (struct row_arp){ { 4, { 10, 20, 0, 77 } }, mac_of_u64(CAMERA), 1, TABLE_MEDIA };
		row_put(&p, &arp);
	}
	refs = calloc(p.n, sizeof *refs);
	assert_non_null(refs);
	for (size_t i = 0; i < p.n; i++)
		refs[i] = (struct row_ref){ p.v[i].p, p.v[i].len };
	assert_int_equal(rowset_build(&out, refs, p.n), 0);
	for (size_t i = 0; i < p.n; i++)
		buf_free(&p.v[i]);
	free(p.v);
	free(refs);
	return out;
}

void
lab_plug(int slot, uint64_t mac, int sw, uint32_t port)
{
	for (int i = 0; i < SWITCHES; i++)
		lab.fdb[i][slot] = (struct seen){ mac, i == sw ? port : i == CORE ? (uint32_t)sw : 1, 20 };
}

void
lab_unplug(int slot)
{
	for (int i = 0; i < SWITCHES; i++)
		lab.fdb[i][slot] = (struct seen){ 0, 0, 0 };
}

/* ---- time and polls */

void
lab_tick(void)
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

void
lab_later(int64_t ms)
{
	lab.now.mono.ms += ms;
	lab.now.wall.us += ms * 1000;
	lab_tick();
}

static uint8_t
complete_of(int sw, bool answered)
{
	unsigned complete = answered && !lab.restarts[sw] ? ROW_ALL : 0;

	if (sw == CORE && lab.core_has_no_ports)
		complete &= ~ROW_BIT(ROW_IFACE);
	if (lab.half_read[sw])
		complete &= ~ROW_BIT(ROW_FDB);
	return (uint8_t)complete;
}

void
lab_report(int sw, enum switch_state state, uint32_t missed)
{
	bool answered = state == SWITCH_OK;
	struct msg_report r = { .key = (uint64_t)sw + 1, .state = (uint8_t)state, .complete = complete_of(sw, answered),
		.started = lab.now.wall, .finished = lab.now.wall, .began = mono_add(lab.now.mono, -lab.began_ms[sw]), .missed = missed,
		.uptime_cs = lab.uptime_cs[sw], .restarted = lab.restarts[sw] };
	struct rowset set = { 0 };
	struct msg_in in;

	lab.now.mono.ms++;
	lab.now.wall.us += 1000;
	if (answered) {
		set = table_of(sw);
		r.sum = r.complete == ROW_ALL ? hash_bytes(set.bytes.p, set.bytes.len) | 1 : 0;
		r.rows = r.sum != 0 && r.sum == lab.sum[sw] ? REPORT_SAME : REPORT_ROWS;
		lab.sum[sw] = r.sum;
	}
	engine_report_begin(lab.engine, &r, lab.now);
	if (r.rows == REPORT_ROWS) {
		in = msg_in_of(set.bytes.p, set.bytes.len);
		engine_report_rows(lab.engine, r.key, &in);
	}
	engine_report_end(lab.engine, r.key, lab.now);
	rowset_free(&set);
	lab_tick();
}

void
lab_poll(int sw)
{
	lab_report(sw, SWITCH_OK, 0);
}

void
lab_sweep(void)
{
	for (int i = 0; i < SWITCHES; i++)
		lab_poll(i);
}

void
lab_dies(int sw, int64_t apart_ms)
{
	for (uint32_t missed = 1; missed <= 3; missed++) {
		if (apart_ms > 0)
			lab_later(apart_ms);
		lab_report(sw, SWITCH_UNREACHABLE, missed);
	}
}

/* ---- what came of it */

static bool
is_repeated(size_t at)
{
	const struct msg_deliver *m = &lab.out[at];

	for (size_t k = 0; k < at; k++)
		if (strcmp(lab.out[k].event.id, m->event.id) == 0 && strcmp(lab.out[k].receiver, m->receiver) == 0)
			return true;
	return false;
}

/* `mac` 0: of any device. */
static unsigned
told(enum event_type type, const char *receiver, uint64_t mac, struct event *last)
{
	unsigned n = 0;

	for (size_t i = 0; i < lab.n_out; i++) {
		const struct msg_deliver *m = &lab.out[i];

		if (m->event.type != type || strcmp(m->receiver, receiver) != 0 || (mac != 0 && mac_u64(m->event.mac) != mac))
			continue;
		n += !is_repeated(i);
		if (last != NULL)
			*last = m->event;
	}
	return n;
}

unsigned
lab_told(enum event_type type, const char *receiver, struct event *last)
{
	return told(type, receiver, 0, last);
}

unsigned
lab_told_of(enum event_type type, uint64_t mac, struct event *last)
{
	return told(type, "noc", mac, last);
}

void
lab_ask(uint32_t id, const char *command, const char *argument)
{
	struct msg_query q = { .id = id };

	text_cut(q.command, sizeof q.command, command);
	text_cut(q.argument, sizeof q.argument, argument);
	buf_free(&lab.answer);
	engine_query(lab.engine, &q, lab.now);
}

long long
lab_status(const char *group, const char *name)
{
	json_t *o, *number;
	long long value;

	lab_ask(1000, "status", "");
	o = json_loadb((const char *)lab.answer.p, lab.answer.len, 0, NULL);
	number = json_object_get(json_object_get(o, group), name);
	assert_true(json_is_integer(number));
	value = json_integer_value(number);
	json_decref(o);
	return value;
}

/* agent/poller/tables.c: what to ask for, the store of the answers, and the frame of the join. */
#include "poller/tables.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "poller/tables_internal.h"

#define SYS	"1.3.6.1.2.1.1."
#define IFE	"1.3.6.1.2.1.2.2.1."
#define IFX	"1.3.6.1.2.1.31.1.1.1."
#define BRIDGE	"1.3.6.1.2.1.17."
#define ENT	"1.3.6.1.4.1."
#define LLDP	"1.0.8802.1.1.2.1."
#define LLDP2	"1.3.111.2.802.1.1.13.1."
#define CDP	ENT "9.9.23.1.2.1.1."
#define MED	LLDP "5.4795.1.3."
#define JNX	ENT "2636.3.48.1.3.1.1."
#define HWFDB	ENT "2011.5.25.42.2.1.3.1."
#define VTP	ENT "9.9.46.1.3.1.1."
#define VMVLAN	ENT "9.9.68.1.2.2.1."
#define LOGICAL	"1.3.6.1.2.1.47.1.2.1.1."
#define LAG	"1.2.840.10006.300.43.1.2.1.1."
#define STACK	"1.3.6.1.2.1.31.1.2.1."

#define COLUMN_IDS 24		/* the longest OID of a column here has fewer */
#define INDEX_MAX 64		/* sub-identifiers of an index that are kept */
#define COLUMNS_MAX 16		/* asked of one row in all walks together: lldpRem with its MED columns */
#define VALUE_MAX 1024		/* octets of a value; octets_set() keeps fewer */

static bool wanted_juniper(const void *tables);
static bool wanted_huawei(const void *tables);
static bool wanted_lldp2(const void *tables);

#define MAPS (ROW_BIT(ROW_FDB) | ROW_BIT(ROW_NEIGHBOUR))

const struct poll_step poll_steps[] = {
	{ "system", POLL_GET, ROW_BIT(ROW_SYSTEM), 0, { SYS "1.0", SYS "2.0", SYS "3.0", SYS "5.0" }, NULL },
	{ "dot1dBase", POLL_GET, 0, 0, { BRIDGE "1.1.0", BRIDGE "4.2.0" }, NULL },
	{ "ifTable", POLL_WALK, ROW_BIT(ROW_IFACE) | ROW_BIT(ROW_LAG) | MAPS, 40, { IFE "2", IFE "3", IFE "6", IFE "8" }, NULL },
	{ "ifXTable", POLL_WALK, ROW_BIT(ROW_IFACE) | MAPS, 50, { IFX "1", IFX "18" }, NULL },
	{ "dot3adAggPort", POLL_WALK, ROW_BIT(ROW_LAG), 30, { LAG "13" }, wanted_lag },
	{ "ifStack", POLL_WALK, ROW_BIT(ROW_LAG), 24, { STACK "3" }, wanted_if_stack },
	{ "dot1dBasePort", POLL_WALK, MAPS, 24, { BRIDGE "1.4.1.2" }, NULL },
	{ "dot1qVlanFdbId", POLL_WALK, ROW_BIT(ROW_FDB), 30, { BRIDGE "7.1.4.2.1.3" }, NULL },
	{ "jnxL2aldVlan", POLL_WALK, ROW_BIT(ROW_FDB), 30, { JNX "3", JNX "5" }, wanted_juniper },
	{ "dot1qTpFdb", POLL_WALK, ROW_BIT(ROW_FDB), 40, { BRIDGE "7.1.2.2.1.2", BRIDGE "7.1.2.2.1.3" }, NULL },
	{ "dot1dTpFdb", POLL_WALK, ROW_BIT(ROW_FDB), 40, { BRIDGE "4.3.1.1", BRIDGE "4.3.1.2", BRIDGE "4.3.1.3" }, NULL },
	{ "hwDynFdb", POLL_WALK, ROW_BIT(ROW_FDB), 48, { HWFDB "4" }, wanted_huawei },
	{ "lldpLocPort", POLL_WALK, ROW_BIT(ROW_NEIGHBOUR), 50, { LLDP "3.7.1.2", LLDP "3.7.1.3", LLDP "3.7.1.4" }, NULL },
	{ "lldpRem", POLL_WALK, ROW_BIT(ROW_NEIGHBOUR), 150, { LLDP "4.1.1.4", LLDP "4.1.1.5", LLDP "4.1.1.6", LLDP "4.1.1.7", LLDP "4.1.1.8",
	    LLDP "4.1.1.9", LLDP "4.1.1.10", LLDP "4.1.1.12" }, NULL },
	{ "lldpRemManAddr", POLL_WALK, ROW_BIT(ROW_NEIGHBOUR), 40, { LLDP "4.2.1.3", LLDP "4.2.1.4" }, NULL },
	{ "lldpXMedClass", POLL_WALK, ROW_BIT(ROW_NEIGHBOUR), 40, { MED "1.1.3" }, NULL },
	{ "lldpXMedInventory", POLL_WALK, ROW_BIT(ROW_NEIGHBOUR), 60, { MED "3.1.1", MED "3.1.2", MED "3.1.3", MED "3.1.4", MED "3.1.5",
	    MED "3.1.6", MED "3.1.7" }, NULL },
	{ "lldpV2Rem", POLL_WALK, ROW_BIT(ROW_NEIGHBOUR), 150, { LLDP2 "4.1.1.5", LLDP2 "4.1.1.6", LLDP2 "4.1.1.7", LLDP2 "4.1.1.8",
	    LLDP2 "4.1.1.9", LLDP2 "4.1.1.10", LLDP2 "4.1.1.11", LLDP2 "4.1.1.13" }, wanted_lldp2 },
	{ "lldpV2RemManAddr", POLL_WALK, ROW_BIT(ROW_NEIGHBOUR), 40, { LLDP2 "4.2.1.3" }, wanted_lldp2 },
	{ "cdpCache", POLL_WALK, ROW_BIT(ROW_NEIGHBOUR), 120, { CDP "3", CDP "4", CDP "5", CDP "6", CDP "7", CDP "8", CDP "9" }, NULL },
	{ "ipNetToMedia", POLL_WALK, ROW_BIT(ROW_ARP), 40, { "1.3.6.1.2.1.4.22.1.2" }, NULL },
	{ "ipNetToPhysical", POLL_WALK, ROW_BIT(ROW_ARP), 44, { "1.3.6.1.2.1.4.35.1.4" }, NULL },
	/* One question where there are none: the two lists of VLANs are not one table, and end each by itself. */
	{ "vtpVlan", POLL_WALK, ROW_BIT(ROW_FDB), 30, { VTP "2", VTP "3", LOGICAL "2" }, wanted_vlan_list },
	{ "vmVlan", POLL_WALK, 0, 30, { VMVLAN "2" }, wanted_contexts },
	{ "dot1dTpFdb per VLAN", POLL_WALK_VLANS, ROW_BIT(ROW_FDB), 40, { BRIDGE "4.3.1.1", BRIDGE "4.3.1.2", BRIDGE "4.3.1.3" }, wanted_contexts },
	{ "dot1dBasePort per VLAN", POLL_WALK_VLANS, ROW_BIT(ROW_FDB), 24, { BRIDGE "1.4.1.2" }, wanted_context_ports },
};
const size_t poll_n_steps = nitems(poll_steps);

/* Where the objects of a step go: the entry OID of the table, and what is added to the number of a column. */
static const struct entry { const char *oid; uint8_t tab, add; } entries[] = {
	{ "1.3.6.1.2.1.1",		TAB_SYS,	0 },
	{ "1.3.6.1.2.1.2.2.1",		TAB_IF,		0 },
	{ "1.3.6.1.2.1.31.1.1.1",	TAB_IF,		COL_IFX },
	{ BRIDGE "1",			TAB_BRIDGE,	0 },
	{ BRIDGE "4",			TAB_BRIDGE,	0 },
	{ BRIDGE "1.4.1",		TAB_BASEPORT,	0 },
	{ BRIDGE "7.1.4.2.1",		TAB_VLANFDB,	0 },
	{ ENT "2636.3.48.1.3.1.1",	TAB_JNXVLAN,	0 },
	{ BRIDGE "7.1.2.2.1",		TAB_DOT1Q,	0 },
	{ BRIDGE "4.3.1",		TAB_DOT1D,	0 },
	{ ENT "2011.5.25.42.2.1.3.1",	TAB_HWFDB,	0 },
	{ LLDP "3.7.1",			TAB_LOCPORT,	0 },
	{ LLDP "4.1.1",			TAB_REM,	0 },
	{ LLDP "4.2.1",			TAB_REMADDR,	0 },
	{ MED "1.1",			TAB_REM,	COL_MED_CLASS },
	{ MED "3.1",			TAB_REM,	COL_MED },
	{ LLDP2 "4.1.1",		TAB_REM2,	0 },
	{ LLDP2 "4.2.1",		TAB_REMADDR2,	0 },
	{ ENT "9.9.23.1.2.1.1",		TAB_CDP,	0 },
	{ "1.3.6.1.2.1.4.22.1",		TAB_MEDIA,	0 },
	{ "1.3.6.1.2.1.4.35.1",		TAB_PHYS,	0 },
	{ ENT "9.9.46.1.3.1.1",		TAB_VTP,	0 },
	{ ENT "9.9.68.1.2.2.1",		TAB_VMVLAN,	0 },
	{ "1.3.6.1.2.1.47.1.2.1.1",	TAB_LOGICAL,	0 },
	{ "1.2.840.10006.300.43.1.2.1.1", TAB_LAG,	0 },
	{ "1.3.6.1.2.1.31.1.2.1",	TAB_STACK,	0 },
};

/* Dotted text, which is ours, into sub-identifiers. */
static size_t
ids_of(const char *text, uint32_t *out, size_t max)
{
	size_t n = 0;

	while (*text != '\0' && n < max) {
		char *end;

		out[n++] = (uint32_t)strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : end;
	}
	return n;
}

/* entries[] as numbers, made once: each object that comes is looked for here. `outer`: the OID of another begins with it. */
static struct { uint32_t ids[COLUMN_IDS]; size_t n; bool outer; } entry_ids[nitems(entries)];

static void
entries_read(void)
{
	if (entry_ids[0].n > 0)
		return;
	for (size_t i = 0; i < nitems(entries); i++)
		entry_ids[i].n = ids_of(entries[i].oid, entry_ids[i].ids, COLUMN_IDS);
	for (size_t i = 0; i < nitems(entries); i++)
		for (size_t k = 0; k < nitems(entries); k++)
			if (entry_ids[k].n > entry_ids[i].n &&
			    memcmp(entry_ids[k].ids, entry_ids[i].ids, entry_ids[i].n * sizeof *entry_ids[i].ids) == 0)
				entry_ids[i].outer = true;
}

static bool
wanted_vendor(const struct tables *t, const char *prefix)
{
	return strncmp(t->object_id, prefix, strlen(prefix)) == 0;
}

static bool
wanted_juniper(const void *tables)
{
	return wanted_vendor(tables, ENT "2636.");
}

static bool
wanted_huawei(const void *tables)
{
	return wanted_vendor(tables, ENT "2011.");
}

static bool
wanted_lldp2(const void *tables)
{
	return ((const struct tables *)tables)->per_tab[TAB_REM] == 0;
}

/* The arrays of objects of polls that are over, for those that begin: the last one is still in the caches, and has grown as far as most
 * switches need. There are as many as polls were under way at once. */
enum { SPARE_MAX = 256, SPARE_CELLS = 2048, SPARE_IDX = 8192, SPARE_OCT = 8192 };
struct spare { struct cell *cells; uint32_t *idx; uint8_t *oct; size_t n_cells, n_idx, n_oct; };
static struct spare spare[SPARE_MAX];
static size_t n_spare;

static void
spare_take(struct tables *t, const struct spare *s)
{
	t->cells = s->cells;
	t->idx = s->idx;
	t->oct = s->oct;
	t->cap_cells = s->n_cells;
	t->cap_idx = s->n_idx;
	t->cap_oct = s->n_oct;
	t->bytes = s->n_cells * sizeof *s->cells + s->n_idx * sizeof *s->idx + s->n_oct;
}

static void
spare_give(struct tables *t)
{
	if (n_spare < SPARE_MAX && t->cap_cells > 0 && t->cap_cells <= SPARE_CELLS && t->cap_idx <= SPARE_IDX && t->cap_oct <= SPARE_OCT) {
		spare[n_spare++] = (struct spare){ t->cells, t->idx, t->oct, t->cap_cells, t->cap_idx, t->cap_oct };
		return;
	}
	free(t->cells);
	free(t->idx);
	free(t->oct);
}

struct tables *
tables_new(uint32_t max_rows)
{
	struct tables *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	entries_read();
	if (n_spare > 0)
		spare_take(t, &spare[--n_spare]);
	t->max_rows = max_rows;
	t->step_state = calloc(poll_n_steps, sizeof *t->step_state);
	if (t->step_state == NULL) {
		tables_free(t);
		return NULL;
	}
	return t;
}

void
tables_tidy(void)
{
	while (n_spare > 0) {
		const struct spare *s = &spare[--n_spare];

		free(s->cells);
		free(s->idx);
		free(s->oct);
	}
}

/* What only the join needs. */
static void
free_raw(struct tables *t)
{
	spare_give(t);
	free(t->order);
	free(t->ifs);
	free(t->ports);
	free(t->names);
	free(t->descrs);
	t->cells = NULL;
	t->order = NULL;
	t->idx = NULL;
	t->oct = NULL;
	t->cap_cells = t->cap_idx = t->cap_oct = 0;
	t->ifs = NULL;
	t->ports = NULL;
	t->names = t->descrs = NULL;
}

void
tables_free(struct tables *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_rows; i++)
		row_free(&t->rows[i]);
	free(t->rows);
	free(t->fdb);
	free(t->arp);
	free_raw(t);
	free(t->contexts);
	free(t->step_state);
	free(t->step_why);
	free(t);
}

void
tables_note(struct tables *t, const char *kind, const char *text)
{
	if (str_eq(kind, "dropped"))
		t->dropped++;
	for (size_t i = 0; i < t->n_notes; i++)
		if (str_eq(t->notes[i].kind, kind) && str_eq(t->notes[i].text, text)) {
			t->notes[i].count++;
			return;
		}
	if (t->n_notes < nitems(t->notes))
		t->notes[t->n_notes++] = (struct note){ kind, text, 1 };
}

static bool
over_memory(struct tables *t)
{
	t->full = true;
	note_drop(t, "over the limit of memory");
	return false;
}

/* What a switch of 48 ports and sixty stations takes: objects, sub-identifiers of their indexes, octets. */
enum { CELLS_FIRST = 640, IDX_FIRST = 1536, OCT_FIRST = 2048 };

static size_t
room_first(const struct tables *t, void *const *array)
{
	return array == (void *const *)&t->cells ? CELLS_FIRST : array == (void *const *)&t->idx ? IDX_FIRST :
	    array == (void *const *)&t->oct ? OCT_FIRST : 0;
}

/* Room for `more` elements. Near the limit of memory the steps get smaller, so that it is used up. Objects get half of it: what
 * is made of them needs the rest. */
static bool
room(struct tables *t, void **array, size_t n, size_t *cap, size_t more, size_t size)
{
	bool made = array == (void **)&t->rows || array == (void **)&t->fdb || array == (void **)&t->arp;
	size_t max = made ? TABLES_BYTES_MAX : TABLES_BYTES_MAX / 2;
	size_t want = *cap > 0 ? *cap + *cap / 2 : room_first(t, array), left = t->bytes < max ? (max - t->bytes) / size : 0;
	void *p;

	assert(t->bytes <= TABLES_BYTES_MAX && n <= *cap);
	if (n + more <= *cap)
		return true;
	if (want < n + more)
		want = n + more;
	if (want - *cap > left / 2)
		want = *cap + left / 2 > n + more ? *cap + left / 2 : n + more;
	if (want - *cap > left)
		return over_memory(t);
	if ((p = realloc(*array, want * size)) == NULL) {
		t->no_memory = true;
		return false;
	}
	*array = p;
	t->bytes += (want - *cap) * size;
	*cap = want;
	return true;
}

/* Room at once for what will be put; where that is not sure to be within the limit it comes bit by bit. */
static void
reserve(struct tables *t, void **array, size_t *cap, size_t n, size_t size)
{
	if (n < (TABLES_BYTES_MAX - t->bytes) / 4 / size)
		room(t, array, 0, cap, n, size);
}

struct tables_size
tables_size(const struct tables *t)
{
	return (struct tables_size){ t->n_cells, t->n_idx, t->n_oct };
}

void
tables_expect(struct tables *t, struct tables_size size)
{
	assert(t->n_cells == 0);
	reserve(t, (void **)&t->cells, &t->cap_cells, size.cells, sizeof *t->cells);
	reserve(t, (void **)&t->idx, &t->cap_idx, size.idx, sizeof *t->idx);
	reserve(t, (void **)&t->oct, &t->cap_oct, size.oct, 1);
}

static bool
is_of(const struct varbind *v, size_t i)
{
	return v->oid_len >= entry_ids[i].n && memcmp(v->oid, entry_ids[i].ids, entry_ids[i].n * sizeof *v->oid) == 0;
}

/* The entry with the longest matching OID, and the number of its sub-identifiers. */
static const struct entry *
entry_of(struct tables *t, const struct varbind *v, size_t *n_ids)
{
	if (t->entry != NULL && is_of(v, (size_t)(t->entry - entries))) {
		*n_ids = t->n_entry;
		return t->entry;
	}
	t->entry = NULL;
	t->n_entry = 0;
	for (size_t i = 0; i < nitems(entries); i++)
		if (entry_ids[i].n > t->n_entry && is_of(v, i)) {
			t->entry = &entries[i];
			t->n_entry = entry_ids[i].n;
		}
	*n_ids = t->n_entry;
	if (t->entry == NULL || !entry_ids[t->entry - entries].outer)
		return t->entry;
	{
		const struct entry *e = t->entry;

		t->entry = NULL;	/* the next object may be of the inner one */
		return e;
	}
}

/* ---- the sum */

static void
sum_add(struct tables *t, uint64_t v)
{
	__uint128_t m = (__uint128_t)(t->sum ^ v) * UINT64_C(0x9fb21c651e98df25) + UINT64_C(0xd6e8feb86659fd93);

	t->sum = (uint64_t)m ^ (uint64_t)(m >> 64);
}

static void
sum_octets(struct tables *t, const void *octets, size_t n)
{
	const uint8_t *p = octets;
	uint64_t v;

	sum_add(t, n);
	for (; n >= sizeof v; n -= sizeof v, p += sizeof v) {
		memcpy(&v, p, sizeof v);
		sum_add(t, v);
	}
	v = 0;
	memcpy(&v, p, n);
	if (n > 0)
		sum_add(t, v);
}

static void
sum_object(struct tables *t, const struct varbind *v)
{
	sum_add(t, (uint64_t)v->type << 32 | t->context);
	sum_octets(t, v->oid, v->oid_len * sizeof *v->oid);
	sum_add(t, (uint64_t)v->number);
	if (v->n_octets > 0)
		sum_octets(t, v->octets, v->n_octets);
	if (v->value_oid_len > 0)
		sum_octets(t, v->value_oid, v->value_oid_len * sizeof *v->value_oid);
}

void
tables_seed(struct tables *t, uint64_t seed)
{
	t->sum = seed;
}

uint64_t
tables_sum(const struct tables *t)
{
	return t->sum;
}

static void
take_object_id(struct tables *t, const struct varbind *v)
{
	size_t at = 0;

	t->object_id[0] = '\0';
	for (size_t i = 0; i < v->value_oid_len; i++) {
		char one[16];
		int n = snprintf(one, sizeof one, "%s%u", i > 0 ? "." : "", v->value_oid[i]);

		if (at + (size_t)n >= sizeof t->object_id) {
			t->object_id[0] = '\0';
			note_drop(t, "sysObjectID too long");
			return;
		}
		memcpy(t->object_id + at, one, (size_t)n + 1);
		at += (size_t)n;
	}
}

void
tables_put(struct tables *t, const struct varbind *v)
{
	const struct entry *e;
	struct cell c = { 0 };
	size_t n_ids, n_idx;

	if (v->type == VB_NO_OBJECT || v->type == VB_NO_INSTANCE || v->type == VB_END_OF_MIB)
		return;
	if (t->joined || v->oid_len > OID_MAX) {
		note_drop(t, "object outside the tables asked for");
		return;
	}
	e = entry_of(t, v, &n_ids);
	if (e == NULL || e->tab != TAB_SYS || v->oid_len <= n_ids || v->oid[n_ids] != 3)
		sum_object(t, v);
	if (e == NULL || v->oid_len < n_ids + 2) {
		note_drop(t, "object outside the tables asked for");
		return;
	}
	n_idx = v->oid_len - n_ids - 1;
	if (v->oid[n_ids] > COL_IFX || n_idx > INDEX_MAX) {
		note_drop(t, n_idx > INDEX_MAX ? "index too long" : "object outside the tables asked for");
		return;
	}
	c.tab = e->tab;
	c.col = (uint8_t)(v->oid[n_ids] + e->add);
	if (c.tab == TAB_SYS && c.col == 2) {
		if (v->type == VB_OID)
			take_object_id(t, v);
		else
			note_drop(t, "value of a wrong type");
		return;
	}
	switch (v->type) {
	case VB_INTEGER:
	case VB_COUNTER:
	case VB_GAUGE:
	case VB_TIMETICKS:
	case VB_COUNTER64:
		c.is_number = true;
		c.number = v->number;
		break;
	case VB_OCTETS:
	case VB_IPADDRESS:
	case VB_OPAQUE:
		c.n_oct = (uint16_t)(v->n_octets < VALUE_MAX ? v->n_octets : VALUE_MAX);
		break;
	default:
		note_drop(t, "value of a wrong type");
		return;
	}
	if (c.tab == TAB_SYS && c.col == 3 && c.is_number) {
		t->uptime_cs = (uint32_t)c.number;
		return;
	}
	if (t->per_tab[c.tab] / COLUMNS_MAX >= t->max_rows) {
		note_drop(t, "over the limit of rows");
		return;
	}
	if (!room(t, (void **)&t->cells, t->n_cells, &t->cap_cells, 1, sizeof *t->cells) ||
	    !room(t, (void **)&t->idx, t->n_idx, &t->cap_idx, n_idx, sizeof *t->idx) ||
	    !room(t, (void **)&t->oct, t->n_oct, &t->cap_oct, c.n_oct, 1))
		return;
	c.seq = (uint32_t)t->n_cells;
	c.vlan = t->context;
	c.n_idx = (uint8_t)n_idx;
	c.idx_at = (uint32_t)t->n_idx;
	c.oct_at = (uint32_t)t->n_oct;
	memcpy(t->idx + t->n_idx, v->oid + n_ids + 1, n_idx * sizeof *t->idx);
	t->n_idx += n_idx;
	if (c.n_oct > 0)
		memcpy(t->oct + t->n_oct, v->octets, c.n_oct);
	t->n_oct += c.n_oct;
	t->per_tab[c.tab]++;
	if (c.vlan != 0 && c.tab == TAB_DOT1D) {
		t->context_rows++;
		t->contexts[t->n_contexts - 1].entries += c.col == 2;
	}
	t->cells[t->n_cells++] = c;
}

/* Few steps fail: there is nothing to hold texts until one does. */
static void
why_set(struct tables *t, size_t step, const char *why)
{
	if (t->step_why == NULL && (t->step_why = calloc(poll_n_steps, sizeof *t->step_why)) == NULL)
		t->no_memory = true;
	else
		snprintf(t->step_why[step], sizeof t->step_why[step], "%s: %s", poll_steps[step].name, why);
}

void
tables_step_done(struct tables *t, size_t step, bool ok, const char *why)
{
	if (step >= poll_n_steps)
		return;
	sum_add(t, step << 1 | ok);
	if (t->context != 0 && !ok)
		t->contexts[t->n_contexts - 1].whole = false;
	if (str_eq(poll_steps[step].name, "ifTable"))
		mib_lag_look(t);
	if (t->step_state[step] == STEP_FAILED)
		return;			/* in an earlier context */
	t->step_state[step] = ok ? STEP_OK : STEP_FAILED;
	if (!ok)
		why_set(t, step, why != NULL ? why : "");
}

void
tables_force_vlans(struct tables *t)
{
	t->forced = true;
}

bool
tables_context(struct tables *t, uint16_t vlan)
{
	assert(!t->joined && vlan <= VLAN_MAX);
	t->context_rows = 0;
	t->context = 0;
	if (vlan == 0)
		return true;
	if (!room(t, (void **)&t->contexts, t->n_contexts, &t->cap_contexts, 1, sizeof *t->contexts))
		return false;
	t->contexts[t->n_contexts++] = (struct context_read){ .vlan = vlan, .whole = true };
	t->context = vlan;
	return true;
}

void
tables_vlans_left(struct tables *t, uint16_t vlan, size_t n, const char *why, char *text, size_t text_max)
{
	if (n > 1)
		snprintf(text, text_max, "VLAN %u and %zu more: %s", vlan, n - 1, why);
	else if (n == 1)
		snprintf(text, text_max, "VLAN %u: %s", vlan, why);
	else
		snprintf(text, text_max, "%s", why);
	snprintf(t->left_why, sizeof t->left_why, "VLAN contexts: %.100s", text);
}

void
tables_contexts(const struct tables *t, void (*each)(void *arg, uint16_t vlan, uint32_t entries, bool whole), void *arg)
{
	for (size_t i = 0; i < t->n_contexts; i++)
		each(arg, t->contexts[i].vlan, t->contexts[i].entries, t->contexts[i].whole);
}

static uint8_t
state_of(const struct tables *t, const char *name)
{
	for (size_t i = 0; i < poll_n_steps; i++)
		if (str_eq(poll_steps[i].name, name))
			return t->step_state[i];
	assert(!"a step of poll_steps[]");
	return STEP_FAILED;
}

bool
step_ok(const struct tables *t, const char *name)
{
	return state_of(t, name) == STEP_OK;
}

bool
step_failed(const struct tables *t, const char *name)
{
	return state_of(t, name) == STEP_FAILED;
}

static int
cell_index_cmp(const struct tables *t, const struct cell *a, const struct cell *b)
{
	size_t n = a->n_idx < b->n_idx ? a->n_idx : b->n_idx;

	if (a->vlan != b->vlan)
		return a->vlan < b->vlan ? -1 : 1;
	for (size_t i = 0; i < n; i++) {
		uint32_t x = t->idx[a->idx_at + i], y = t->idx[b->idx_at + i];

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a->n_idx > b->n_idx) - (a->n_idx < b->n_idx);
}

static int
cell_cmp(const void *pa, const void *pb, void *arg)
{
	const struct cell *a = *(const struct cell *const *)pa, *b = *(const struct cell *const *)pb;
	int d;

	if ((d = cell_index_cmp(arg, a, b)) != 0)
		return d;
	if (a->col != b->col)
		return a->col < b->col ? -1 : 1;
	return (a->seq > b->seq) - (a->seq < b->seq);
}

/* From `at` on the objects are in order: where that ends. */
static size_t
run_end(struct tables *t, size_t at, size_t end)
{
	for (at++; at < end && cell_cmp(&t->order[at - 1], &t->order[at], t) <= 0; at++)
		;
	return at;
}

/* Two runs into one. false: out of memory. */
static bool
runs_merge(struct tables *t, size_t at, size_t second, size_t end)
{
	size_t n = second - at;
	const struct cell **first = malloc(n * sizeof *first);

	if (first == NULL)
		return false;
	memcpy(first, t->order + at, n * sizeof *first);
	for (size_t i = 0; i < n; at++)
		t->order[at] = second == end || cell_cmp(&first[i], &t->order[second], t) <= 0 ? first[i++] : t->order[second++];
	free(first);
	return true;
}

/* Most tables come in their order already: as they are walked; one that two MIBs have a part in comes as two runs. Returns how
 * many groups there are. */
static size_t
table_order(struct tables *t, size_t at, size_t end)
{
	size_t groups = at < end, second = at < end ? run_end(t, at, end) : end;

	if (second < end && (run_end(t, second, end) < end || !runs_merge(t, at, second, end)))
		qsort_r(t->order + at, end - at, sizeof *t->order, cell_cmp, t);
	for (at++; at < end; at++)
		groups += cell_index_cmp(t, t->order[at - 1], t->order[at]) != 0;
	return groups;
}

#define BIT(tab) (UINT32_C(1) << (tab))
static const uint32_t fdb_of = BIT(TAB_HWFDB) | BIT(TAB_DOT1Q) | BIT(TAB_DOT1D), arp_of = BIT(TAB_MEDIA) | BIT(TAB_PHYS),
    rows_of = BIT(TAB_IF) | BIT(TAB_REM) | BIT(TAB_REM2) | BIT(TAB_CDP) | BIT(TAB_LAG) | BIT(TAB_STACK);
static_assert(TAB_N <= 32, "one bit for each table");

/* false: out of memory. */
static bool
cells_order(struct tables *t)
{
	size_t at[TAB_N + 1] = { 0 }, rows = 1, fdb = 0, arp = 0;	/* one of ROW_SYSTEM */

	if ((t->order = calloc(t->n_cells + 1, sizeof *t->order)) == NULL) {
		t->no_memory = true;
		return false;
	}
	for (size_t i = 0; i < t->n_cells; i++)
		at[t->cells[i].tab + 1]++;
	for (unsigned tab = 0; tab < TAB_N; tab++)
		at[tab + 1] += at[tab];
	memcpy(t->start, at, sizeof t->start);
	for (size_t i = 0; i < t->n_cells; i++)
		t->order[at[t->cells[i].tab]++] = &t->cells[i];
	for (unsigned tab = 0; tab < TAB_N; tab++) {
		size_t groups = table_order(t, t->start[tab], t->start[tab + 1]);

		rows += (rows_of & BIT(tab)) != 0 ? groups : 0;
		fdb += (fdb_of & BIT(tab)) != 0 ? groups : 0;
		arp += (arp_of & BIT(tab)) != 0 ? groups : 0;
	}
	/* The rows that the groups can become. */
	reserve(t, (void **)&t->rows, &t->cap_rows, rows, sizeof *t->rows);
	reserve(t, (void **)&t->fdb, &t->cap_fdb, fdb, sizeof *t->fdb);
	reserve(t, (void **)&t->arp, &t->cap_arp, arp, sizeof *t->arp);
	return true;
}

bool
group_next(const struct tables *t, enum tab tab, struct group *g)
{
	size_t at = g->next, end = t->start[tab + 1];

	if (at >= end)
		return false;
	g->cells = &t->order[at];
	g->idx = t->idx + g->cells[0]->idx_at;
	g->n_idx = g->cells[0]->n_idx;
	for (at++; at < end && cell_index_cmp(t, g->cells[0], t->order[at]) == 0; at++)
		;
	g->n = at - g->next;
	g->next = at;
	return true;
}

/* Of two with the same column the first that came counts. */
const struct cell *
group_cell(const struct group *g, unsigned col)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->cells[i]->col == col)
			return g->cells[i];
		if (g->cells[i]->col > col)
			break;
	}
	return NULL;
}

bool
group_int(const struct group *g, unsigned col, int64_t *out)
{
	const struct cell *c = group_cell(g, col);

	if (c == NULL || !c->is_number)
		return false;
	*out = c->number;
	return true;
}

const uint8_t *
group_octets(const struct tables *t, const struct group *g, unsigned col, size_t *n)
{
	const struct cell *c = group_cell(g, col);

	*n = 0;
	if (c == NULL || c->is_number)
		return NULL;
	*n = c->n_oct;
	return t->oct != NULL ? t->oct + c->oct_at : (const uint8_t *)"";
}

bool
group_set(struct tables *t, struct octets *o, const struct group *g, unsigned col)
{
	size_t n;
	const uint8_t *p = group_octets(t, g, col, &n);

	if (p == NULL)
		return false;
	if (n > TABLES_BYTES_MAX - t->bytes) {
		over_memory(t);
		return false;
	}
	if (!octets_set(o, p, n))
		t->no_memory = true;
	t->bytes += n;
	return true;
}

bool
mac_of_ids(const uint32_t *ids, struct mac *out)
{
	for (size_t i = 0; i < sizeof out->b; i++) {
		if (ids[i] > 255)
			return false;
		out->b[i] = (uint8_t)ids[i];
	}
	return true;
}

bool
ip_of_ids(const uint32_t *ids, size_t n, struct ip *out)
{
	uint8_t b[16];

	if (n != 4 && n != 16)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (ids[i] > 255)
			return false;
		b[i] = (uint8_t)ids[i];
	}
	*out = ip_of(b, (unsigned)n);
	return true;
}

struct row *
row_add(struct tables *t, enum row_kind kind)
{
	if (!room(t, (void **)&t->rows, t->n_rows, &t->cap_rows, 1, sizeof *t->rows))
		return NULL;
	t->rows[t->n_rows] = (struct row){ .kind = kind };
	return &t->rows[t->n_rows++];
}

void
fdb_add(struct tables *t, const struct row_fdb *f)
{
	if (room(t, (void **)&t->fdb, t->n_fdb, &t->cap_fdb, 1, sizeof *t->fdb))
		t->fdb[t->n_fdb++] = *f;
}

void
arp_add(struct tables *t, const struct row_arp *a)
{
	if (room(t, (void **)&t->arp, t->n_arp, &t->cap_arp, 1, sizeof *t->arp))
		t->arp[t->n_arp++] = *a;
}

int
tables_join(struct tables *t)
{
	assert(!t->joined);
	t->complete = ROW_ALL;
	for (size_t i = 0; i < poll_n_steps; i++) {
		const struct poll_step *s = &poll_steps[i];

		if (t->step_state[i] == STEP_OK || (t->step_state[i] == STEP_SILENT && s->wanted != NULL && !s->wanted(t)))
			continue;
		t->complete &= ~s->kinds;
		if (t->step_state[i] == STEP_SILENT)
			why_set(t, i, "not asked");
	}
	if (t->left_why[0] != '\0')
		t->complete &= ~ROW_BIT(ROW_FDB);
	for (size_t i = 0; i < t->n_notes; i++)
		if (str_eq(t->notes[i].text, "over the limit of rows"))
			t->complete = 0;
	if (cells_order(t)) {
		mib_system_join(t);
		mib_if_join(t);
		mib_lag_join(t);
		mib_vlan_join(t);
		mib_bridge_join(t);
		mib_lldp_join(t);
		mib_cdp_join(t);
		mib_arp_join(t);
	}
	free_raw(t);
	t->joined = true;
	if (t->no_memory || t->full)
		t->complete = 0;	/* rows are missing that the switch has */
	return t->no_memory ? -ENOMEM : 0;
}

size_t
tables_n_rows(const struct tables *t)
{
	return t->n_rows + t->n_fdb + t->n_arp;
}

bool
tables_next(const struct tables *t, size_t *at, struct row *out)
{
	size_t i = (*at)++;

	if (i < t->n_rows) {
		*out = t->rows[i];
		return true;
	}
	if ((i -= t->n_rows) < t->n_fdb) {
		out->kind = ROW_FDB;
		out->fdb = t->fdb[i];
		return true;
	}
	if ((i -= t->n_fdb) < t->n_arp) {
		out->kind = ROW_ARP;
		out->arp = t->arp[i];
		return true;
	}
	return false;
}

void
tables_restarted_set(struct tables *t)
{
	t->restarted = true;
}

bool
tables_restarted(const struct tables *t)
{
	return t->restarted;
}

void
tables_distrust(struct tables *t)
{
	t->distrusted = true;
}

unsigned
tables_complete(const struct tables *t)
{
	return t->distrusted ? 0 : t->complete;
}

uint32_t
tables_uptime_cs(const struct tables *t)
{
	return t->uptime_cs;
}

uint32_t
tables_dropped(const struct tables *t)
{
	return t->dropped;
}

void
tables_diagnostics(const struct tables *t, void (*each)(void *arg, const char *kind, const char *text, uint32_t count), void *arg)
{
	for (size_t i = 0; i < t->n_notes; i++)
		each(arg, t->notes[i].kind, t->notes[i].text, t->notes[i].count);
	for (size_t i = 0; t->step_why != NULL && i < poll_n_steps; i++)
		if (t->step_state[i] != STEP_OK && t->step_why[i][0] != '\0')
			each(arg, "incomplete", t->step_why[i], 1);
	if (t->left_why[0] != '\0')
		each(arg, "incomplete", t->left_why, 1);
}

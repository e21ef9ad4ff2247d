/* agent/poller/tables_internal.h: shared by tables.c and the mib_*.c. Objects are kept as cells, put in order by table, VLAN context, index and column;
 * a mib_*.c walks the groups (rows of a table) and makes rows of the model. */
#ifndef CAMTRAPD_TABLES_INTERNAL_H
#define CAMTRAPD_TABLES_INTERNAL_H
#include "base/num.h"
#include "poller/tables.h"

enum tab { TAB_SYS, TAB_IF, TAB_BRIDGE, TAB_BASEPORT, TAB_VLANFDB, TAB_JNXVLAN, TAB_HWFDB, TAB_DOT1Q, TAB_DOT1D, TAB_LOCPORT,
	TAB_REM, TAB_REMADDR, TAB_REM2, TAB_REMADDR2, TAB_CDP, TAB_MEDIA, TAB_PHYS, TAB_VTP, TAB_LOGICAL, TAB_VMVLAN, TAB_LAG, TAB_STACK,
	TAB_N };

/* Columns that two MIBs give to one row are told apart by adding to the number of the second. */
#define COL_IFX		100	/* ifXTable */
#define COL_MED		200	/* lldpXMedRemInventoryTable */
#define COL_MED_CLASS	220	/* lldpXMedRemCapDeviceClass */
#define COL_MED_LAST	227

struct cell {
	int64_t		 number;
	uint32_t	 idx_at, oct_at;	/* into tables.idx and tables.oct: they are shorter than TABLES_BYTES_MAX */
	uint32_t	 seq;			/* order of arrival */
	uint16_t	 n_oct;
	uint16_t	 vlan;			/* of the context; 0: the default one */
	uint8_t		 tab, col, n_idx;
	bool		 is_number;
};

/* One conceptual row of one context: its index and its cells. */
struct group {
	const uint32_t		*idx;
	size_t			 n_idx;
	const struct cell *const *cells;	/* by column */
	size_t			 n;
	size_t			 next;		/* of group_next() */
};

struct port_map { uint16_t vlan; uint32_t port, if_index; };
struct context_read { uint16_t vlan; bool whole; uint32_t entries; };
struct name_map { const uint8_t *p; size_t n; uint32_t if_index; };

struct note { const char *kind, *text; uint32_t count; };

struct tables {
	uint32_t	 max_rows;
	unsigned	 complete;
	bool		 distrusted, restarted;
	bool		 joined, no_memory, full;	/* full: over TABLES_BYTES_MAX */
	size_t		 bytes;				/* of the arrays of objects and rows, and of the octets of rows */
	/* objects */
	struct cell	*cells;
	size_t		 n_cells, cap_cells;
	uint32_t	*idx;
	size_t		 n_idx, cap_idx;
	uint8_t		*oct;
	size_t		 n_oct, cap_oct;
	uint32_t	 per_tab[TAB_N];
	const struct cell **order;			/* made by the join */
	size_t		 start[TAB_N + 1];		/* of each table in `order` */
	char		 object_id[128];
	uint32_t	 uptime_cs;
	uint64_t	 sum;				/* tables_sum() so far */
	const struct entry *entry;			/* of the last object: mostly of the next one, too */
	size_t		 n_entry;
	bool		 aggregates_up;			/* mib_lag_look() */
	/* VLAN contexts */
	bool		 forced;
	uint16_t	 context;			/* of what is put now */
	uint32_t	 context_rows;			/* objects of its forwarding table */
	struct context_read *contexts;			/* in order of asking */
	size_t		 n_contexts, cap_contexts;
	char		 left_why[128];
	/* how the steps went */
	uint8_t		*step_state;			/* STEP_ */
	char		 (*step_why)[192];		/* NULL until one fails */
	/* made by the join */
	struct row_fdb	*fdb;				/* many, and small beside a row of any kind */
	size_t		 n_fdb, cap_fdb;
	struct row_arp	*arp;
	size_t		 n_arp, cap_arp;
	struct row	*rows;				/* of other kinds */
	size_t		 n_rows, cap_rows;
	uint32_t	*ifs;				/* ifIndexes, ascending: of the rows from first_if on */
	size_t		 n_ifs, first_if;
	struct port_map	*ports;				/* base ports, ascending by VLAN and port */
	size_t		 n_ports;
	struct name_map	*names, *descrs;		/* sorted by octets */
	size_t		 n_names, n_descrs;
	struct note	 notes[64];
	size_t		 n_notes;
	uint32_t	 dropped;
};
enum { STEP_SILENT, STEP_OK, STEP_FAILED };

/* Counts; `text` is static. "dropped" notes are summed up in tables_dropped(). */
void	tables_note(struct tables *t, const char *kind, const char *text);
#define note_drop(t, text) tables_note(t, "dropped", text)
#define note_rule(t, text) tables_note(t, "rule", text)

/* Start with *g = (struct group){ .next = t->start[tab] }. */
bool	group_next(const struct tables *t, enum tab tab, struct group *g);
#define group_start(t, tab) ((struct group){ .next = (t)->start[tab] })
const struct cell *group_cell(const struct group *g, unsigned col);
/* false: no such cell, or not a number. */
bool	group_int(const struct group *g, unsigned col, int64_t *out);
/* Borrowed octets; NULL: no such cell, or not octets. */
const uint8_t *group_octets(const struct tables *t, const struct group *g, unsigned col, size_t *n);
/* octets_set() of a cell; an absent cell leaves it empty. Memory trouble sets t->no_memory. */
bool	group_set(struct tables *t, struct octets *o, const struct group *g, unsigned col);
/* An id: octets that are not text keep all of them, as a MAC may end in 00 or 20. `mac`, `net`: its subtype says that it is one. */
void	group_set_id(struct tables *t, struct octets *o, const struct group *g, unsigned col, bool mac, bool net);
/* Six sub-identifiers as a MAC. false: one is over 255. */
bool	mac_of_ids(const uint32_t *ids, struct mac *out);
/* `n` sub-identifiers as an address. false: wrong count, or one over 255. */
bool	ip_of_ids(const uint32_t *ids, size_t n, struct ip *out);
/* A new zeroed row of a kind at the end, or NULL (t->no_memory is set). The pointer holds until the next call. */
struct row *row_add(struct tables *t, enum row_kind kind);
void	fdb_add(struct tables *t, const struct row_fdb *f);
void	arp_add(struct tables *t, const struct row_arp *a);

bool	if_exists(const struct tables *t, uint32_t if_index);
/* 0: none, or more than one interface has it. */
uint32_t if_by_name(const struct tables *t, const uint8_t *p, size_t n);
uint32_t if_by_descr(const struct tables *t, const uint8_t *p, size_t n);
uint32_t if_by_phys(const struct tables *t, struct mac m);
/* dot1dBasePortIfIndex in a VLAN's context (0: the default one, and in no other: each has its own table); 0: the switch does not say,
 * or an interface that is not there. */
uint32_t if_by_port(const struct tables *t, uint16_t vlan, uint32_t port);
/* Did the step of that name end well? */
bool	step_ok(const struct tables *t, const char *name);
bool	step_failed(const struct tables *t, const char *name);

/* `wanted` of steps */
bool	wanted_vlan_list(const void *tables);
bool	wanted_contexts(const void *tables);
bool	wanted_context_ports(const void *tables);
bool	wanted_lag(const void *tables);
bool	wanted_if_stack(const void *tables);
/* When the interfaces are read: whether there are aggregates that could have members. */
void	mib_lag_look(struct tables *t);

void	mib_system_join(struct tables *t);
void	mib_if_join(struct tables *t);
void	mib_lag_join(struct tables *t);		/* after mib_if_join() */
void	mib_vlan_join(struct tables *t);
void	mib_bridge_join(struct tables *t);	/* after mib_if_join() */
void	mib_lldp_join(struct tables *t);	/* after mib_bridge_join() */
void	mib_cdp_join(struct tables *t);
void	mib_arp_join(struct tables *t);
#endif

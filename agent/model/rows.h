/* agent/model/rows.h: what one poll of a switch says, row by row, after mapping (bridge port to ifIndex, FDB id to VLAN).
 * The same rows are printed by `camtrapctl probe`, sent from poller to engine, and packed into the database. */
#ifndef CAMTRAPD_ROWS_H
#define CAMTRAPD_ROWS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "model/mac.h"

/* Tables; also bits (1 << kind) of what a poll completed. The order is the order in a packed table. Stored: never renumber. */
enum row_kind { ROW_SYSTEM, ROW_IFACE, ROW_FDB, ROW_NEIGHBOUR, ROW_ARP, ROW_LAG, ROW_NKINDS };
#define ROW_BIT(kind) (1u << (kind))
#define ROW_ALL (ROW_BIT(ROW_NKINDS) - 1)

/* Where an FDB row, a neighbour or a member came from: the word is printed as `table`. Stored: never renumber. */
enum row_table { TABLE_NONE, TABLE_DOT1Q, TABLE_DOT1D, TABLE_HWDYNFDB, TABLE_IEEE8021Q, TABLE_LLDP, TABLE_LLDPV2, TABLE_CDP,
	TABLE_MEDIA, TABLE_PHYSICAL, TABLE_DOT3AD, TABLE_IFSTACK, TABLE_N };
const char *row_table_word(unsigned table);

/* What the switch says of an FDB entry; values of dot1dTpFdbStatus. */
enum fdb_status { FDB_UNSAID, FDB_OTHER, FDB_INVALID, FDB_LEARNED, FDB_SELF, FDB_MGMT };

/* Text from the switch: octets as they came (at most 512 are kept), cleaned only where it is used (text_clean). Owned. */
struct octets { uint8_t *p; size_t n; };

struct row_system {
	struct octets	descr, name;
	char		object_id[128];		/* "1.3.6.1…", "" unknown */
	struct mac	bridge;			/* dot1dBaseBridgeAddress; all zero: unknown */
	uint32_t	ageing_s;		/* dot1dTpAgingTime; 300 where the switch does not say */
};

struct row_iface {
	uint32_t	if_index;
	struct octets	name, descr, alias;
	bool		has_alias;
	uint32_t	type;			/* IANAifType; 0 unknown */
	uint8_t		oper;			/* ifOperStatus 1 up … 7; 0 unknown */
	struct mac	phys;			/* ifPhysAddress; all zero: none */
};

struct row_fdb {
	struct mac	mac;
	uint16_t	vlan;			/* 802.1Q VLAN ID; 0 unknown */
	uint32_t	if_index;		/* 0: port unknown */
	uint32_t	bridge_port;		/* dot1dBasePort, NOT an ifIndex; 0 unknown */
	uint8_t		status;			/* enum fdb_status */
	uint8_t		table;			/* enum row_table */
};

#define ROW_MGMT_ADDRS 8
struct row_neighbour {
	uint8_t		table;			/* TABLE_LLDP, TABLE_LLDPV2, TABLE_CDP */
	uint32_t	if_index;		/* local interface; 0 unknown */
	uint32_t	port_num;		/* lldpLocPortNum, NOT an ifIndex; 0 unknown */
	uint32_t	rem_index;
	uint8_t		chassis_subtype, port_subtype;	/* LldpChassisIdSubtype, LldpPortIdSubtype; 0 for CDP */
	struct octets	chassis, port;		/* CDP: device id and device port */
	struct octets	port_desc, sys_name, sys_desc;	/* CDP: sys_desc is the version */
	struct octets	platform;		/* CDP only */
	uint16_t	caps;			/* LldpSystemCapabilitiesMap, bit 0 the first: see CAP_ */
	bool		caps_known;
	uint32_t	cdp_caps;
	struct ip	mgmt[ROW_MGMT_ADDRS];
	uint8_t		n_mgmt;
	uint8_t		med_class;		/* lldpXMedRemDeviceClass; 0 unknown */
	struct octets	med_hw, med_fw, med_sw, med_serial, med_maker, med_model, med_asset;
};
enum { CAP_OTHER = 0x8000, CAP_REPEATER = 0x4000, CAP_BRIDGE = 0x2000, CAP_WLAN = 0x1000, CAP_ROUTER = 0x0800,
	CAP_TELEPHONE = 0x0400, CAP_DOCSIS = 0x0200, CAP_STATION = 0x0100 };
enum { CDP_CAP_PHONE = 0x80 };			/* of cdp_caps */

struct row_arp {
	struct ip	ip;
	struct mac	mac;
	uint32_t	if_index;
	uint8_t		table;			/* TABLE_MEDIA (ipNetToMedia), TABLE_PHYSICAL (ipNetToPhysical) */
};

/* One port as a member of an aggregate (a link aggregation group): its frames count as those of the aggregate. */
struct row_lag {
	uint32_t	if_index;		/* the aggregate */
	uint32_t	member;			/* an ifIndex, too */
	uint8_t		table;			/* TABLE_DOT3AD, TABLE_IFSTACK */
};

struct row {
	enum row_kind kind;
	union {
		struct row_system	system;
		struct row_iface	iface;
		struct row_fdb		fdb;
		struct row_neighbour	neighbour;
		struct row_arp		arp;
		struct row_lag		lag;
	};
};

/* The packed form of a row: it starts with its kind and then what identifies it, so that packed rows sort by table.
 * At most 64 KiB - 1. */
void	row_pack(struct buf *b, const struct row *r);
/* 0: *r is whole and in range, its octets are copies, row_free() it. -EBADMSG: not a row. */
int	row_unpack(const uint8_t *p, size_t n, struct row *r);
void	row_free(struct row *r);
/* The same for a row of the MAC table alone, of which there are hundreds for each of another kind. False: it is of another kind, or
 * no row. */
#define ROW_FDB_OCTETS 19
void	row_fdb_pack(struct buf *b, const struct row_fdb *f);
bool	row_fdb_unpack(const uint8_t *p, size_t n, struct row_fdb *f);
/* A packed row of ARP or ND about `mac`? Without unpacking the others: a router has as many as there are stations. */
bool	row_arp_unpack(const uint8_t *p, size_t n, struct mac mac, struct row_arp *a);

/* Copies at most 512 octets, without NULs and blanks at the end. false: out of memory. */
bool	octets_set(struct octets *o, const void *p, size_t n);
void	octets_free(struct octets *o);
/* Cleaned into `out` (text_clean). Returns `out`. */
const char *octets_text(const struct octets *o, char *out, size_t size);
/* The MAC that a chassis or port id means, in any of the ways switches send one: 6 octets, or printed. false: none. */
bool	octets_mac(const struct octets *o, struct mac *out);
/* The station addresses among a neighbour's chassis and port ids: six octets only where the subtype says that they are one (a
 * port called "port12" is none) or, of CDP, where they are no text; printed ones always. At most two; returns how many. */
size_t	neighbour_macs(const struct row_neighbour *nb, struct mac out[static 2]);
bool	neighbour_has_mac(const struct row_neighbour *nb, struct mac m);	/* one of those */
#endif

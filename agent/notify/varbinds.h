/* agent/notify/varbinds.h: an event as the objects of CAMTRAPD-MIB, in the MIB's order. Pure: no Net-SNMP here. */
#ifndef CAMTRAPD_VARBINDS_H
#define CAMTRAPD_VARBINDS_H
#include <stddef.h>
#include <stdint.h>

#include "model/detection.h"

#define MIB_ROOT_MAX 24			/* arcs of mib_root */
#define VARBIND_ARCS_MAX (MIB_ROOT_MAX + 4)
#define VARBINDS_MAX 32
#define VARBIND_OCTETS_MAX 128
/* Octets of a whole message, so that no UDP packet is cut into fragments. */
#define NOTIFICATION_MAX 1400
/* What a message has around its varbinds at most: without the community; with the longest engine ids and user name, SHA-512
 * and the padding of DES. */
#define OVERHEAD_COMMUNITY 32
#define OVERHEAD_V3 244

struct mib_oid {
	uint32_t	arc[VARBIND_ARCS_MAX];
	uint8_t		n;
};

/* BER tags of the values. */
enum varbind_type { VB_INTEGER = 0x02, VB_OCTETS = 0x04, VB_OID = 0x06, VB_UNSIGNED = 0x42, VB_TICKS = 0x43 };

struct varbind {
	struct mib_oid		name;
	enum varbind_type	type;
	uint32_t		number;		/* INTEGER, Unsigned32, TimeTicks */
	uint8_t			octets[VARBIND_OCTETS_MAX + 1];
	uint8_t			len;
	struct mib_oid		oid;
};

struct varbinds {
	struct varbind	v[VARBINDS_MAX];
	size_t		n;
};

/* "1.3.6.1.4.1.8072.9999.9999.7162", a dot in front is fine. 0, or -EINVAL with *out untouched. */
int	mib_root_parse(const char *text, struct mib_oid *out);

/* sysUpTime.0 and snmpTrapOID.0, then what the notification carries. Texts over the MIB's size are cut with "…"; where
 * the encoded list would still be over `room` octets (a long root, SNMPv3), the longest texts are cut further.
 * 0, or -EINVAL: not an event type of the MIB. */
int	varbinds_of(const struct event *e, const char *agent, const struct mib_oid *root, uint32_t uptime_cs, size_t room,
	    struct varbinds *out);

/* Octets of the list in BER, with its own header. */
size_t	varbinds_size(const struct varbinds *vs);

/* Octets that the root takes at most when encoded, so that a notification fits however long its texts are: the configuration
 * holds mib_root to it. */
#define MIB_ROOT_OCTETS_MAX 20

/* The name of the n-th object (from 0) that an event of this type carries; NULL: past the end. For tests and documents. */
const char *varbinds_name(enum event_type type, size_t n);
#endif

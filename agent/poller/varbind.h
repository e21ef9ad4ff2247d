/* agent/poller/varbind.h: an object a switch answered with, free of Net-SNMP, so that what reads tables is pure. */
#ifndef CAMTRAPD_VARBIND_H
#define CAMTRAPD_VARBIND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OID_MAX 128

/* Values of the ASN.1 tag on the wire. */
enum vb_type { VB_INTEGER = 0x02, VB_OCTETS = 0x04, VB_NULL = 0x05, VB_OID = 0x06, VB_IPADDRESS = 0x40, VB_COUNTER = 0x41,
	VB_GAUGE = 0x42, VB_TIMETICKS = 0x43, VB_OPAQUE = 0x44, VB_COUNTER64 = 0x46, VB_NO_OBJECT = 0x80, VB_NO_INSTANCE = 0x81,
	VB_END_OF_MIB = 0x82 };

/* Borrowed for the time of a call. */
struct varbind {
	const uint32_t	*oid;
	size_t		 oid_len;		/* at most OID_MAX */
	uint8_t		 type;			/* enum vb_type; others are possible and are to be refused */
	int64_t		 number;		/* INTEGER (signed), COUNTER, GAUGE, TIMETICKS, COUNTER64 */
	const uint8_t	*octets;		/* OCTETS, IPADDRESS, OPAQUE */
	size_t		 n_octets;
	const uint32_t	*value_oid;		/* OID */
	size_t		 value_oid_len;
};
#endif

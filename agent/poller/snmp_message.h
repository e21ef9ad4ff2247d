/* agent/poller/snmp_message.h: the messages of SNMPv1 and v2c (RFC 1157, 3416, 3417 section 8) as octets: questions written, answers
 * read. Pure: no network, no library. v3 is the library's, all but a first look at whom a message is from. */
#ifndef CAMTRAPD_SNMP_MESSAGE_H
#define CAMTRAPD_SNMP_MESSAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/varbind.h"

enum { MESSAGE_V1 = 0, MESSAGE_V2C = 1, MESSAGE_V3 = 3 };	/* as on the wire */
enum { PDU_GET = 0xa0, PDU_GETNEXT = 0xa1, PDU_RESPONSE = 0xa2, PDU_GETBULK = 0xa5 };

struct message_oid { uint32_t v[OID_MAX]; size_t n; };

struct message_question {
	long		 version;		/* v1 or v2c */
	const char	*community;
	uint8_t		 pdu;			/* GET, GETNEXT or, in v2c, GETBULK */
	int32_t		 id;
	int32_t		 repetitions;		/* of GETBULK; non-repeaters are 0 */
	const struct message_oid *oids;
	size_t		 n;
};

/* Writes it to the end of `buf`. Returns where it begins, up to buf + size; NULL: no room, or an OID of less than two numbers. */
uint8_t	*message_write(const struct message_question *q, uint8_t *buf, size_t size);

/* What a datagram is, before anything in it is believed. Pointers into the datagram. */
struct message_look {
	long		 version;
	const uint8_t	*community, *engine;	/* engine: of v3, NULL where it is not plain to see */
	size_t		 n_community, n_engine;
	uint8_t		 pdu;
	long		 id, error, error_index;	/* of v1 and v2c */
	const uint8_t	*varbinds, *end;	/* the list; whole, each with a name and a value */
};
/* false: not an SNMP message, or, in v1 and v2c, not a whole one. */
bool	message_look(const uint8_t *p, size_t n, struct message_look *l);

/* Where one varbind is read to. */
struct message_reader {
	const uint8_t	*p, *end;		/* of what is still to be read */
	struct message_oid name, value;
};
/* The next one: false at the end. *out borrows from the reader and from the datagram. A name that cannot be (more than 128 numbers,
 * a number of more than 32 bits) comes as type 0xff, a value that cannot be as VB_NULL. Numbers of 32 bits without a sign are taken
 * with or without the leading zero that RFC 3417 wants. */
bool	message_next(struct message_reader *r, struct varbind *out);
#endif

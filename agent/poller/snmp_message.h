/* agent/poller/snmp_message.h: the messages of SNMP (RFC 1157, 3412, 3416, 3417 section 8) as octets: questions written, answers read.
 * Pure: no network, no library, no keys; what of v3 is signed and encrypted is snmp_usm.c's. */
#ifndef CAMTRAPD_SNMP_MESSAGE_H
#define CAMTRAPD_SNMP_MESSAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/varbind.h"

enum { MESSAGE_V1 = 0, MESSAGE_V2C = 1, MESSAGE_V3 = 3 };	/* as on the wire */
enum { PDU_GET = 0xa0, PDU_GETNEXT = 0xa1, PDU_RESPONSE = 0xa2, PDU_GETBULK = 0xa5, PDU_REPORT = 0xa8 };
enum { MESSAGE_AUTH = 1, MESSAGE_PRIV = 2, MESSAGE_REPORTABLE = 4 };	/* msgFlags of v3 (RFC 3412 section 6.4) */
enum { ENGINE_ID_MAX = 32, DIGEST_MAX = 48 };				/* octets; RFC 3411 section 5, RFC 7860 section 4.2.2 */

struct message_oid { uint32_t v[OID_MAX]; size_t n; };

struct message_question {
	long		 version;
	const char	*community;		/* v1 and v2c */
	uint8_t		 pdu;			/* GET, GETNEXT or, not in v1, GETBULK */
	int32_t		 id;
	int32_t		 repetitions;		/* of GETBULK; non-repeaters are 0 */
	const struct message_oid *oids;
	size_t		 n;
};

/* Writes it to the end of `buf`. Returns where it begins, up to buf + size; NULL: no room, or an OID of less than two numbers. */
uint8_t	*message_write(const struct message_question *q, uint8_t *buf, size_t size);

/* Of v3: the fields of the header, and the security parameters of the user-based model (RFC 3412 section 6, RFC 3414 section 2.4).
 * Borrowed octets. */
struct message_security {
	uint8_t		 flags;
	const uint8_t	*engine, *user, *digest, *salt;
	size_t		 n_engine, n_user, n_digest, n_salt;	/* none is long: 48 octets at most */
	int32_t		 boots, time;
};
/* And of its scoped PDU. */
struct message_scope { const uint8_t *engine, *context; size_t n_engine, n_context; };

/* v3 is written in two steps, both towards the beginning of `buf`: the scoped PDU, then, in front of what has become of it (`data` to
 * `end`), the rest. Its digest is zeros, as it is signed; *digest is where it stands. m->digest itself is not looked at. */
uint8_t	*message_write_scoped(const struct message_question *q, const struct message_scope *s, uint8_t *buf, size_t size);
uint8_t	*message_write_secured(const struct message_security *m, int32_t id, uint8_t *buf, uint8_t *data, const uint8_t *end, uint8_t **digest);

/* What a datagram is, before anything in it is believed. Pointers into the datagram. */
struct message_look {
	long		 version;
	const uint8_t	*community;
	size_t		 n_community;
	long		 id;			/* of the message: in v3 msgID, else of the PDU */
	struct message_security security;	/* v3 */
	const uint8_t	*data;			/* v3: the scoped PDU, or what is encrypted of it; to the end of the datagram */
	size_t		 n_data;
	uint8_t		 pdu;			/* this and what follows: of v3 as message_look_scoped() says */
	long		 request, error, error_index;
	const uint8_t	*varbinds, *end;	/* the list; whole, each with a name and a value */
};
/* false: not an SNMP message, not a whole one, or of a v3 security model other than the user-based one. */
bool	message_look(const uint8_t *p, size_t n, struct message_look *l);
/* A scoped PDU in plain text; what follows it is padding. false: it is not whole. */
bool	message_look_scoped(const uint8_t *p, size_t n, struct message_scope *s, struct message_look *l);

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

/* agent/base/buf.h: a growing run of octets, and the put/get codec of our own processes and blobs (style.md section 7).
 * All numbers are big-endian. Writers have a sticky error (out of memory or over the limit), readers too. */
#ifndef CAMTRAPD_BUF_H
#define CAMTRAPD_BUF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero it to make an empty one. Owned by whoever declares it; free with buf_free(). */
struct buf {
	uint8_t	*p;
	size_t	 len, cap;
	bool	 bad;			/* out of memory, or a text too long to say its length */
};

void	buf_free(struct buf *b);	/* and makes it empty */
void	buf_clear(struct buf *b);	/* keeps the memory */
void	buf_fit(struct buf *b);		/* gives back what it does not need: for what stays */
void	put_bytes(struct buf *b, const void *p, size_t n);	/* as they are, no length */
/* Numbers, big-endian. */
void	put_u8(struct buf *b, uint8_t v);
void	put_u16(struct buf *b, uint16_t v);
void	put_u32(struct buf *b, uint32_t v);
void	put_u64(struct buf *b, uint64_t v);
/* A length of two octets, then the octets. Over 65,535 octets: sets `bad`. `s` NULL counts as "". */
void	put_octets(struct buf *b, const void *p, size_t n);
void	put_text(struct buf *b, const char *s);	/* as put_octets(), without the NUL */
/* printf into the buffer, without a NUL at the end. */
void	buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The content as a NUL-terminated text, borrowed until the next put. NULL when out of memory. */
const char *buf_text(struct buf *b);

/* Reads from memory it borrows. A get past the end sets `bad` and yields zero. */
struct msg_in {
	const uint8_t	*p, *end;
	bool		 bad;
};

/* Reads `n` octets at `p`, which may be NULL when n is 0. */
struct msg_in	msg_in_of(const void *p, size_t n);
/* Numbers, big-endian; 0 when bad. */
uint8_t		get_u8(struct msg_in *m);
uint16_t	get_u16(struct msg_in *m);
uint32_t	get_u32(struct msg_in *m);
uint64_t	get_u64(struct msg_in *m);
/* `n` octets without a length; zeros when bad. */
void		get_bytes(struct msg_in *m, void *out, size_t n);
/* Borrowed from the message; *n is its length. NULL with *n 0 when bad. */
const uint8_t	*get_octets(struct msg_in *m, size_t *n);
/* A copied, NUL-terminated text of at most `max` octets without a NUL in it; the caller frees it.
 * Too long, a NUL inside or out of memory: sets `bad` and returns NULL. */
char		*get_text(struct msg_in *m, size_t max);
/* The same into an array of the caller; `size` > 0 counts the NUL. "" when bad. */
void		get_text_into(struct msg_in *m, char *out, size_t size);
/* True when everything was there and nothing is left over. */
bool		msg_in_done(const struct msg_in *m);
/* Octets not read yet. */
size_t		msg_in_left(const struct msg_in *m);
#endif

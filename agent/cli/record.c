/* agent/cli/record.c */
#include "cli/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/num.h"

struct object { uint32_t *oid; size_t oid_len; struct buf line; };

struct record {
	const char *const *secrets;
	size_t		   n_secrets;
	struct object	  *objects;
	size_t		   n, cap, withheld;
	bool		   bad;		/* out of memory */
};

struct record *
record_new(const char *const *secrets, size_t n)
{
	struct record *r = calloc(1, sizeof *r);

	if (r != NULL)
		*r = (struct record){ .secrets = secrets, .n_secrets = n };
	return r;
}

static bool
has_secret(const struct record *r, const struct varbind *v)
{
	for (size_t i = 0; i < r->n_secrets; i++)
		if (r->secrets[i] != NULL && r->secrets[i][0] != '\0' && v->n_octets > 0 &&
		    memmem(v->octets, v->n_octets, r->secrets[i], strlen(r->secrets[i])) != NULL)
			return true;
	return false;
}

static void
put_oid(struct buf *b, const uint32_t *oid, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%" PRIu32, i > 0 ? "." : "", oid[i]);
}

static void
put_value(struct buf *b, const struct varbind *v)
{
	switch (v->type) {
	case VB_INTEGER:
	case VB_COUNTER:
	case VB_GAUGE:
	case VB_TIMETICKS:
	case VB_COUNTER64:
		buf_printf(b, "|%u|%" PRId64 "\n", v->type, v->number);
		break;
	case VB_OID:
		buf_printf(b, "|%u|", v->type);
		put_oid(b, v->value_oid, v->value_oid_len);
		put_u8(b, '\n');
		break;
	default:
		buf_printf(b, "|%ux|", v->type);
		for (size_t i = 0; i < v->n_octets; i++)
			buf_printf(b, "%02x", v->octets[i]);
		put_u8(b, '\n');
	}
}

void
record_put(void *arg, const struct varbind *v)
{
	struct record *r = arg;
	struct object *o;

	if (v->type >= VB_NO_OBJECT || v->type == VB_NULL)
		return;
	if (has_secret(r, v)) {
		r->withheld++;
		return;
	}
	if (array_grow((void **)&r->objects, r->n, &r->cap, sizeof *r->objects) < 0) {
		r->bad = true;
		return;
	}
	o = &r->objects[r->n];
	*o = (struct object){ .oid = malloc((v->oid_len + 1) * sizeof *o->oid), .oid_len = v->oid_len };
	if (o->oid == NULL) {
		r->bad = true;
		return;
	}
	r->n++;
	memcpy(o->oid, v->oid, v->oid_len * sizeof *o->oid);
	put_oid(&o->line, v->oid, v->oid_len);
	put_value(&o->line, v);
	r->bad = r->bad || o->line.bad;
}

static int
object_order(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	for (size_t i = 0; i < x->oid_len && i < y->oid_len; i++)
		if (x->oid[i] != y->oid[i])
			return x->oid[i] < y->oid[i] ? -1 : 1;
	return (x->oid_len > y->oid_len) - (x->oid_len < y->oid_len);
}

int
record_write(struct record *r, const char *path, size_t *objects, size_t *withheld)
{
	int fd, rc = 0;
	FILE *f;

	*objects = 0;
	*withheld = r->withheld;
	if (r->bad)
		return -ENOMEM;
	if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
		return -errno;
	if ((f = fdopen(fd, "w")) == NULL) {
		rc = -errno;
		close(fd);
		return rc;
	}
	if (r->n > 0)
		qsort(r->objects, r->n, sizeof *r->objects, object_order);
	for (size_t i = 0; i < r->n; i++) {
		/* Asked for twice in one poll: the first answer counts. */
		if (i > 0 && object_order(&r->objects[i - 1], &r->objects[i]) == 0)
			continue;
		fwrite(r->objects[i].line.p, 1, r->objects[i].line.len, f);
		(*objects)++;
	}
	if (ferror(f) != 0)
		rc = -EIO;
	if (fclose(f) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

void
record_free(struct record *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->objects[i].oid);
		buf_free(&r->objects[i].line);
	}
	free(r->objects);
	free(r);
}

/* agent/poller/report.h: from the tables of a poll to the messages of a report. */
#ifndef CAMTRAPD_REPORT_H
#define CAMTRAPD_REPORT_H
#include "model/rowset.h"
#include "poller/tables.h"
#include "proc/chan.h"
#include "proc/messages.h"

/* Octets of rows that a report has room for, beside what may wait in a channel that is not busy. */
#define REPORT_ROWS_MAX (CHAN_QUEUE_MAX / 8 * 5)
/* 0, -EMSGSIZE (more than that) or -ENOMEM; after an error *out is empty. */
int	report_rows(const struct tables *t, struct rowset *out);
/* Begin, rows, end. 0, or a negative errno: the report is not whole. `rows` NULL: none. */
int	report_put(struct chan *c, const struct msg_report *m, const struct rowset *rows);
#endif

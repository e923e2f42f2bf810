/*-------------------------------------------------------------------------
 *
 * place.c
 *	  The atomic write in place, many at a time through io_uring, or one at a
 *	  time with pwritev2() where io_uring is refused.
 *
 * Both send the same thing: one request of a power of two of pages, naturally
 * aligned, from one buffer, with RWF_ATOMIC.  io_uring takes the flag in
 * rw_flags of IORING_OP_WRITE (io_uring/rw.c, io_prep_rw).
 *
 * A ring belongs to the process that opened it.  Nothing here knows of slots,
 * relations or shared memory; errors are returned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <liburing.h>
#include <sys/uio.h>

#include "place.h"

static struct io_uring ring;
static bool ring_open = false;

/* without a ring: requests done, not yet handed back */
static SaRequest *finished = NULL;

/*
 * Get ready for up to depth requests at a time.  Returns 0, or the errno with
 * which io_uring was refused; requests are then written one at a time.
 */
int
sa_place_open(int depth, bool want_io_uring)
{
	int			rc;

	if (!want_io_uring)
		return 0;
	rc = io_uring_queue_init(depth, &ring, 0);
	ring_open = rc == 0;
	return -rc;
}

void
sa_place_close(void)
{
	if (ring_open)
		io_uring_queue_exit(&ring);
	ring_open = false;
}

bool
sa_place_is_async(void)
{
	return ring_open;
}

static int
write_now(const SaRequest *request)
{
	size_t		length = (size_t) request->page_count * BLCKSZ;
	struct iovec iov = {.iov_base = request->data, .iov_len = length};
	ssize_t		done;

	do
		done = pwritev2(request->fd, &iov, 1, request->offset, request->flags);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno;
	return done == (ssize_t) length ? 0 : EIO;
}

/*
 * Start a request.  The caller keeps no more than depth under way, and its
 * descriptor open until the call returns.  If the ring takes no more, the
 * request is written at once.
 */
void
sa_place_start(SaRequest *request)
{
	struct io_uring_sqe *sqe = ring_open ? io_uring_get_sqe(&ring) : NULL;
	int			rc;

	INSTR_TIME_SET_CURRENT(request->started);
	if (sqe != NULL)
	{
		io_uring_prep_write(sqe, request->fd, request->data,
							request->page_count * BLCKSZ, request->offset);
		sqe->rw_flags = request->flags;
		io_uring_sqe_set_data(sqe, request);
		while ((rc = io_uring_submit(&ring)) == -EINTR || rc == -EAGAIN)
			pg_usleep(100);
		if (rc < 0)
			elog(PANIC, "could not submit to io_uring: %s", strerror(-rc));
		return;
	}
	Assert(finished == NULL);
	request->error = write_now(request);
	finished = request;
}

/*
 * A request that is done, with its error set; NULL if none is (never with
 * wait, if one is under way).
 */
SaRequest *
sa_place_finish(bool wait)
{
	struct io_uring_cqe *cqe;
	SaRequest  *request = finished;
	int			rc;

	finished = NULL;
	if (request != NULL || !ring_open)
		return request;
	do
		rc = wait ? io_uring_wait_cqe(&ring, &cqe) : io_uring_peek_cqe(&ring, &cqe);
	while (rc == -EINTR || (wait && rc == -EAGAIN));
	if (rc == -EAGAIN)
		return NULL;
	if (rc < 0)
		elog(PANIC, "could not wait for io_uring: %s", strerror(-rc));
	request = io_uring_cqe_get_data(cqe);
	if (cqe->res < 0)
		request->error = -cqe->res;
	else
		request->error = cqe->res == request->page_count * BLCKSZ ? 0 : EIO;
	io_uring_cqe_seen(&ring, cqe);
	return request;
}

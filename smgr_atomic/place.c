/*-------------------------------------------------------------------------
 *
 * place.c
 *	  The write in place: atomic ones many at a time through io_uring, or one
 *	  at a time with pwritev2() where io_uring is refused.
 *
 * Both send the same thing: one request of a power of two of pages, naturally
 * aligned, from one buffer, with RWF_ATOMIC.  io_uring takes the flag in
 * rw_flags of IORING_OP_WRITE (io_uring/rw.c, io_prep_rw).
 *
 * Writes that go no further than the page cache are a copy in memory: they are
 * made at once, because on ext4 io_uring would hand each to a thread.
 *
 * A ring belongs to the process that opened it, but its requests outlive the
 * process: the kernel does not wait for them when it is killed (io_uring/
 * cancel.c, io_uring_files_cancel), and the postmaster could begin recovery and
 * write a page again while an older image of it is still on its way.  So each
 * ring holds a lock that ends with the last request: a shared flock() on the
 * directory "base", by an open file that only the ring refers to (the kernel
 * lets go of a ring's files after its last request, io_ring_ctx_free).  A start,
 * also after a crash, waits until it gets that lock.  A process that writes with
 * pwritev2() cannot die before the call is done.
 *
 * Nothing here knows of slots, relations or shared memory; errors are returned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

#include "place.h"

#define ORPHAN_POLL_US 10000
#define ORPHAN_LOG_TRIES 100	/* a message every second */

static struct io_uring ring;
static bool ring_open = false;

/* a request written at once, not yet handed back */
static SaRequest *finished = NULL;

/* Lock the rings' lock; returns an open file that holds it, or -errno. */
static int
get_lock(int operation)
{
	int			fd = open("base", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int			error;

	if (fd < 0)
		return -errno;
	if (flock(fd, operation | LOCK_NB) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* Let the ring, and nobody else, hold the lock.  Returns 0 or -errno. */
static int
lock_ring(void)
{
	int			fd = get_lock(LOCK_SH);
	int			rc;

	if (fd < 0)
		return fd;
	rc = io_uring_register_files(&ring, &fd, 1);
	close(fd);
	return Min(rc, 0);
}

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
	if (rc == 0 && (rc = lock_ring()) != 0)
		io_uring_queue_exit(&ring);
	ring_open = rc == 0;
	return -rc;
}

/*
 * Wait until no request of a process that has died is under way.  Postmaster
 * or standalone server, in the data directory, before any page is written.  An
 * error other than "locked" is one that no ring would get past either.
 */
void
sa_place_await_orphans(void)
{
	int			fd;

	for (int i = 0; (fd = get_lock(LOCK_EX)) == -EWOULDBLOCK; i++)
	{
		if (i % ORPHAN_LOG_TRIES == ORPHAN_LOG_TRIES - 1)
			ereport(LOG,
					(errmsg("smgr_atomic: waiting for page writes of processes that have died"),
					 errdetail("The kernel has not finished them; pages written anew could be overwritten by them."),
					 errhint("If this goes on, check the device and the kernel log.")));
		pg_usleep(ORPHAN_POLL_US);
	}
	if (fd >= 0)
		close(fd);
}

bool
sa_place_is_async(void)
{
	return ring_open;
}

/*
 * Have blocks for the whole request before any of it is written.  Where blocks are
 * smaller than pages the kernel may write as much of a page as it finds blocks for,
 * and reports a short write.  What the file holds does not change.  Returns 0 or errno;
 * a filesystem that cannot do this finds out by the write.
 */
static int
reserve_space(const SaRequest *request, size_t length)
{
	int			rc;

	do
		rc = fallocate(request->fd, FALLOC_FL_KEEP_SIZE, request->offset, length);
	while (rc != 0 && errno == EINTR);
	return rc != 0 && (errno == ENOSPC || errno == EDQUOT) ? errno : 0;
}

static int
write_now(const SaRequest *request)
{
	size_t		length = (size_t) request->page_count * BLCKSZ;
	struct iovec iov = {.iov_base = request->data, .iov_len = length};
	ssize_t		done;
	int			error;

	if (request->reserve && (error = reserve_space(request, length)) != 0)
		return error;
	do
		done = pwritev2(request->fd, &iov, 1, request->offset, request->flags);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno;
	return done == (ssize_t) length ? 0 : EIO;
}

/*
 * Start a request.  The caller keeps no more than depth under way, and its
 * descriptor open until the call returns.  If the request needs no ring, or it
 * takes no more, the request is written at once, and must be finished before
 * the next one is started.
 */
void
sa_place_start(SaRequest *request)
{
	struct io_uring_sqe *sqe = ring_open && !request->page_cache ? io_uring_get_sqe(&ring) : NULL;
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

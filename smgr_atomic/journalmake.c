/*-------------------------------------------------------------------------
 *
 * journalmake.c
 *	  Have a page journal: the one that is there, or a new one.
 *
 * The journal at our path is used as it is if it is ours or given up by its owner,
 * of this system, and of the size that is asked for.  Else a new one takes its
 * place, unless it may be what another data directory needs.
 *
 * A crash at any point leaves the old journal, or the new one, under the name; what
 * is made under another name is made anew by the next start.  Which of the two the
 * marker fits is said at make_journal().
 *
 * In the postmaster at start, after repair; or in the driver, when no page has gone
 * through a journal since the start, until it succeeds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"

#include "journalfile.h"
#include "journalmake.h"
#include "marker.h"
#include "probe.h"
#include "smgr_atomic.h"

/* What is asked for. */
typedef struct Request
{
	const char *path;
	uint32		section_blocks;
	bool		repaired;		/* this start has been repaired from a journal */
	char	   *reason;			/* for people, if it cannot be */
	size_t		size;			/* of reason */
} Request;

/* The journal that is at our path already. */
typedef struct OldJournal
{
	int			fd;				/* locked; -1 = there is none */
	bool		usable;			/* as it is */
	bool		needed;			/* this start needs it until it has another */
	SaJournalSuper super;
} OldJournal;

/*
 * Is the journal a part of the data directory, which goes with each copy of it?
 * Not if its directory is a link or a mount.
 */
static bool
is_inside(int fd)
{
	struct stat here,
				directory,
				file;

	return strcmp(sa_journal_directory, SA_JOURNAL_DEFAULT_DIRECTORY) == 0 &&
		lstat(SA_JOURNAL_DEFAULT_DIRECTORY, &directory) == 0 && S_ISDIR(directory.st_mode) &&
		stat(".", &here) == 0 && fstat(fd, &file) == 0 && file.st_dev == here.st_dev;
}

/*
 * Look at the journal that is there.  False, with a reason, if it must stay.
 * Outside of the data directory one that is not ours and not given up by its
 * owner is left alone: it may be what another data directory needs for its
 * recovery.  That can be the one that ours is a copy of, after a crash: we have
 * been repaired from its journal, it has not.
 */
static bool
look_at_old(const Request *request, OldJournal *old)
{
	SaMarker	marker;
	struct stat st;
	bool		inside;
	bool		found = false;
	bool		ours;
	bool		copied;			/* ours is a copy of the directory that may need it */

	memset(old, 0, sizeof(*old));
	old->fd = sa_journal_open(request->path, request->reason, request->size);
	if (old->fd < 0)
		return errno == ENOENT;
	inside = is_inside(old->fd);
	if (sa_journal_read_super(sa_journal_read_block, &old->fd, &old->super, &found) != 0)
		found = false;
	ours = found && sa_marker_read(&marker) && strcmp(marker.path, request->path) == 0 &&
		sa_marker_is_of(&marker, &old->super);
	copied = ours && !inside && request->repaired && !marker.original;
	if (found && old->super.in_use && (!ours || copied) && !inside)
	{
		snprintf(request->reason, request->size,
				 "page journal \"%s\" belongs to another data directory, which has not given it up; "
				 "set smgr_atomic.journal_directory to another directory%s",
				 request->path, copied ? "" : ", or remove the file if nothing needs it");
		close(old->fd);
		return false;
	}
	old->usable = found && (ours || !old->super.in_use) && old->super.system_identifier == GetSystemIdentifier() &&
		old->super.section_blocks == request->section_blocks && fstat(old->fd, &st) == 0 &&
		(uint64) st.st_size == sa_journal_file_size(request->section_blocks);
	old->needed = ours && request->repaired;
	return true;
}

/* Could not do something about the journal that is being made. */
static int
cannot_make(const Request *request, int fd, const char *what, int error)
{
	snprintf(request->reason, request->size, "page journal \"%s\": could not %s it: %s",
			 request->path, what, strerror(error));
	sa_journal_discard(request->path);
	close(fd);
	return -1;
}

/*
 * Make a journal in the place of the old one; its descriptor, or -1.  If the
 * old one is needed it stays until the new one has its name, and the new one goes
 * on with its identity: whatever a crash leaves here, the marker names the one that
 * is there, and either all that needs repair is in it, or all is in place.
 */
static int
make_journal(const Request *request, const OldJournal *old)
{
	SaJournalSuper super = {0};
	int			fd;
	int			error;

	if (old->fd >= 0 && !old->needed)
		(void) unlink(request->path);	/* there may not be room for two */
	fd = sa_journal_create(request->path, request->section_blocks, request->reason, request->size);
	if (fd < 0)
		return -1;
	if (!pg_strong_random(super.uuid, SA_JOURNAL_UUID))
		elog(FATAL, "could not generate a random identifier");
	if (old->needed)
	{
		super = old->super;
		super.generation++;
		super.serial++;
		sa_marker_announce(request->path, &super);
	}
	super.system_identifier = GetSystemIdentifier();
	super.section_blocks = request->section_blocks;
	super.window_start = 1;
	error = sa_journal_write_super(fd, &super);
	if (error != 0)
		return cannot_make(request, fd, "write to", error);
	error = sa_journal_install(request->path);
	if (error != 0)
		return cannot_make(request, fd, "rename", error);
	return fd;
}

/* Is its filesystem one that keeps what was written to the journal? */
static bool
may_lie_here(const Request *request)
{
	char		why[SA_PROBE_TEXT_LEN] = "";
	int			fd = open(sa_journal_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int			rc = fd < 0 ? -errno : sa_probe_journal_fd(fd, why);

	if (fd >= 0)
		close(fd);
	if (rc == -ENOENT)
		return true;			/* the default one is yet to be made, in the data directory */
	if (rc != 0)
		snprintf(request->reason, request->size, "page journal \"%s\": could not examine its directory: %s",
				 request->path, strerror(-rc));
	else if (why[0] != '\0')
		snprintf(request->reason, request->size, "page journal \"%s\": %s", request->path, why);
	return rc == 0 && why[0] == '\0';
}

/*
 * Have a journal at path, of sections of so many blocks: open, and locked for this
 * server.  Its descriptor; -1, with a reason, if that cannot be.  repaired: this
 * start has been repaired from a journal.  May raise an error about the marker.
 */
int
sa_journal_obtain(const char *path, uint32 section_blocks, bool repaired, char *reason, size_t size)
{
	Request		request = {path, section_blocks, repaired, reason, size};
	OldJournal	old;
	int			fd;

	if (!may_lie_here(&request) || !look_at_old(&request, &old))
		return -1;
	if (old.usable)
		return old.fd;
	fd = make_journal(&request, &old);
	/* locked until the new one has its name */
	if (old.fd >= 0)
		close(old.fd);
	return fd;
}

/*-------------------------------------------------------------------------
 *
 * journal.c
 *	  The page journal: its file format, its ring, its reader.
 *
 * A page that storage may tear is written twice: first, with others, into a
 * batch of the journal, and when that is durable, to its place.  After a crash
 * at least one of the two is whole.  (A page that recovery can make from zeroes has
 * no copy.)  Here is what the file looks like and what
 * may be believed of it; who writes it and when is doublewrite.c, what is done
 * with it at start is repair.c.
 *
 *	  offset 0			superblock, slot 0
 *	  offset 32 kB		superblock, slot 1
 *	  offset 64 kB		the ring: SA_JOURNAL_SECTIONS sections of equal size
 *
 * A section holds batches, one after the other from its beginning; a batch
 * begins with a block and never crosses the section's end.  It is a header of one block
 * and copies of the pages it lists, a block each; or, packed, the header's entries and
 * directly behind them the copies, compressed by LZ4 where that makes them
 * smaller, and zeroes up to the end of the block; or a header alone that says which
 * earlier copies are void ("forget").
 * Of the last pages on its list a batch need not have copies: recovery can make
 * these from zeroes (newpages.c), and their checksums tell whether it has to.
 *
 * Sections are used in turn.  One is used again only after every page in it
 * has become durable in its place, and after a superblock that says so (its
 * window_start) has become durable too.  So in the window, the batches from
 * window_start on, nothing has been overwritten: every "forget" that voids a
 * copy in the window is in the window itself.  Without that number, half of a
 * batch over the beginning of an old section could take a "forget" away and
 * leave the copies that it voids.
 *
 * What a reader believes
 *
 * - Superblocks are written to the slots in turn, so a torn one leaves the one
 *	 before; the valid one with the larger serial counts.
 * - A header counts only if its checksum, system identifier, uuid, generation
 *	 and its own position are right and it is in the window.  Of a batch that
 *	 was not finished any part may be there; then none of its pages has been
 *	 written to its place, and each copy is checked by the checksum of its page:
 *	 whatever a packed one has become, it is another page, or none.
 * - Copies made before the redo point of the last checkpoint are void, whatever
 *	 the window says: the checkpoint has made these pages durable in place.  If
 *	 the library was away since the copies were made, or pg_resetwal was run,
 *	 these pages may be others by now, and of some no LSN tells (visibility
 *	 maps); but a start without the library ends its recovery with a checkpoint.
 * - Batches are not found by following one another (one in the middle may be
 *	 unfinished: several processes write) but by looking at every block; those
 *	 inside a batch that counts are passed over.  (Not those of a batch before
 *	 the window: a new header may be among them.)  What is in a page cannot pass
 *	 for a header: the uuid is random, made anew with each file, and found only
 *	 there and in the marker (marker.c).
 *
 * Byte order and layout are the machine's: a data directory does not move
 * between architectures either.
 *
 * Nothing here knows of shared memory, locks or the server; nothing is
 * printed; memory is malloc'ed.
 *
 *-------------------------------------------------------------------------
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include <lz4.h>

#include "port/pg_crc32c.h"

#include "journal.h"

#define SUPER_MAGIC UINT64CONST(0x5341544a5355500a) /* "SATJSUP\n" */
#define HEADER_MAGIC UINT64CONST(0x5341544a4241540a)	/* "SATJBAT\n" */
#define VERSION 4

#define SUPER_SPACING (SA_JOURNAL_RING / SA_JOURNAL_SUPER_SLOTS)

/* Not larger than what fits into a file offset by far. */
#define MAX_SECTION_BLOCKS (1U << 24)

/* A superblock in the file. */
typedef struct DiskSuper
{
	uint64		magic;
	uint32		version;
	uint32		crc;
	uint32		block_size;
	uint32		sections;
	SaJournalSuper super;
} DiskSuper;

StaticAssertDecl((SA_JOURNAL_BLOCK - offsetof(SaJournalHeader, entries)) % sizeof(SaJournalEntry) != 0,
				 "the entries of a packed batch never fill its header's block");

/* ---- format ---- */

uint64
sa_journal_file_size(uint32 section_blocks)
{
	return SA_JOURNAL_RING + (uint64) SA_JOURNAL_SECTIONS * section_blocks * SA_JOURNAL_BLOCK;
}

/* The largest sections for a file of at most this size. */
uint32
sa_journal_section_blocks(uint64 file_size)
{
	uint64		blocks;

	if (file_size <= SA_JOURNAL_RING)
		return 0;
	blocks = (file_size - SA_JOURNAL_RING) / ((uint64) SA_JOURNAL_SECTIONS * SA_JOURNAL_BLOCK);
	return (uint32) Min(blocks, MAX_SECTION_BLOCKS);
}

/* Pages of a section at most.  Of those without a copy as many may be on their way as stock has dirty, within reason. */
uint32
sa_journal_section_pages(uint32 section_blocks)
{
	return section_blocks * SA_JOURNAL_KEYS;
}

uint64
sa_journal_super_offset(uint64 serial)
{
	return (serial % SA_JOURNAL_SUPER_SLOTS) * SUPER_SPACING;
}

static uint32
crc_of(const void *data, size_t size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, size);
	FIN_CRC32C(crc);
	return crc;
}

/* Checksum of a block in which *field counts as 0. */
static uint32
block_crc(const void *block, const uint32 *field)
{
	static const uint32 zero = 0;
	size_t		before = (const char *) field - (const char *) block;
	size_t		after = before + sizeof(uint32);
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, block, before);
	COMP_CRC32C(crc, &zero, sizeof(zero));
	COMP_CRC32C(crc, (const char *) block + after, SA_JOURNAL_BLOCK - after);
	FIN_CRC32C(crc);
	return crc;
}

/* Block must be aligned as for any type. */
void
sa_journal_encode_super(const SaJournalSuper *super, void *block)
{
	DiskSuper  *disk = block;

	memset(block, 0, SA_JOURNAL_BLOCK);
	disk->magic = SUPER_MAGIC;
	disk->version = VERSION;
	disk->block_size = SA_JOURNAL_BLOCK;
	disk->sections = SA_JOURNAL_SECTIONS;
	disk->super = *super;
	disk->crc = block_crc(block, &disk->crc);
}

bool
sa_journal_decode_super(const void *block, SaJournalSuper *super)
{
	const DiskSuper *disk = block;

	if (disk->magic != SUPER_MAGIC || disk->version != VERSION ||
		disk->crc != block_crc(block, &disk->crc) ||
		disk->block_size != SA_JOURNAL_BLOCK || disk->sections != SA_JOURNAL_SECTIONS ||
		disk->super.section_blocks < 2 || disk->super.section_blocks > MAX_SECTION_BLOCKS)
		return false;
	*super = disk->super;
	return true;
}

/* The newest valid superblock.  0 or the errno of a read that failed. */
int
sa_journal_read_super(SaJournalRead read, void *arg, SaJournalSuper *super, bool *found)
{
	union
	{
		char		data[SA_JOURNAL_BLOCK];
		uint64		align;
	}			block;

	*found = false;
	for (int slot = 0; slot < SA_JOURNAL_SUPER_SLOTS; slot++)
	{
		SaJournalSuper one;
		int			error = read(arg, (uint64) slot * SUPER_SPACING, block.data);

		if (error != 0)
			return error;
		if (!sa_journal_decode_super(block.data, &one) || (*found && one.serial < super->serial))
			continue;
		*super = one;
		*found = true;
	}
	return 0;
}

/* Bytes from the beginning of a packed batch of so many entries to its first copy. */
uint32
sa_journal_packed_start(int count)
{
	return offsetof(SaJournalHeader, entries) + count * sizeof(SaJournalEntry);
}

/* Blocks of a batch of so many bytes. */
uint32
sa_journal_blocks(uint32 bytes)
{
	return (bytes + SA_JOURNAL_BLOCK - 1) / SA_JOURNAL_BLOCK;
}

/* Make the packed copy of a page.  There is room for a page; returns how many bytes were needed.  Allocates nothing. */
uint32
sa_journal_pack(const void *page, void *copy)
{
	int			length = LZ4_compress_default(page, copy, SA_JOURNAL_BLOCK, SA_JOURNAL_BLOCK - 1);

	if (length > 0)
		return length;
	memcpy(copy, page, SA_JOURNAL_BLOCK);
	return SA_JOURNAL_BLOCK;
}

/*
 * Fill the first block of a batch, up to its first copy.  If it is packed (start is
 * sa_journal_packed_start(), not SA_JOURNAL_BLOCK), what is in the block behind is there already.
 * wal: the redo point of the checkpoint that had begun last, after the pages were taken out
 * of shared buffers.  The pages of the first entries, so many as copies, have one, as long
 * as the entry says; a "forget" has none.
 */
void
sa_journal_encode_header(const SaJournalSuper *super, SaJournalKind kind, const SaRingPlace *place, uint64 wal,
						 const SaJournalEntry *entries, int count, int copies, uint32 start, void *block)
{
	SaJournalHeader *header = block;

	Assert(count > 0 && count <= SA_JOURNAL_MAX_ENTRIES && copies <= count);
	Assert(start == SA_JOURNAL_BLOCK || start == sa_journal_packed_start(count));
	memset(block, 0, start);
	header->magic = HEADER_MAGIC;
	header->version = VERSION;
	header->system_identifier = super->system_identifier;
	memcpy(header->uuid, super->uuid, SA_JOURNAL_UUID);
	header->generation = super->generation;
	header->sequence = place->sequence;
	header->offset = place->offset;
	header->wal = wal;
	header->kind = kind;
	header->count = count;
	header->copies = copies;
	header->start = start;
	memcpy(header->entries, entries, count * sizeof(SaJournalEntry));
	header->crc = block_crc(block, &header->crc);
}

/* Bytes of a batch; 0 if the lengths in its header are not as they should be. */
static uint32
batch_bytes(const SaJournalHeader *header)
{
	bool		packed = header->start != SA_JOURNAL_BLOCK;
	uint32		bytes = header->start;

	if (packed && header->start != sa_journal_packed_start(header->count))
		return 0;
	for (uint32 i = 0; i < header->count; i++)
	{
		uint32		length = header->entries[i].length;

		if (i >= header->copies ? length != 0 :
			packed ? length == 0 || length > SA_JOURNAL_BLOCK : length != SA_JOURNAL_BLOCK)
			return 0;
		bytes += length;
	}
	return bytes;
}

/* How many blocks has the batch of which this block, read from offset, is the header?  0 if there is none that counts. */
static uint32
batch_blocks(const SaJournalHeader *header, const SaJournalSuper *super, uint64 offset, uint64 section_end)
{
	uint32		blocks;

	if (header->magic != HEADER_MAGIC || header->version != VERSION ||
		header->offset != offset || header->generation != super->generation ||
		header->system_identifier != super->system_identifier ||
		memcmp(header->uuid, super->uuid, SA_JOURNAL_UUID) != 0 ||
		header->count == 0 || header->count > (uint32) SA_JOURNAL_MAX_ENTRIES ||
		header->copies > header->count ||
		(header->kind != SA_JOURNAL_PAGES && header->kind != SA_JOURNAL_FORGET) ||
		header->crc != block_crc(header, &header->crc))
		return 0;
	blocks = sa_journal_blocks(batch_bytes(header));
	return offset + (uint64) blocks * SA_JOURNAL_BLOCK <= section_end ? blocks : 0;
}

uint32
sa_journal_page_crc(const void *page)
{
	return crc_of(page, SA_JOURNAL_BLOCK);
}

/* The first field of every page: its LSN, high half first. */
uint64
sa_journal_page_lsn(const void *page)
{
	uint32		halves[2];

	memcpy(halves, page, sizeof(halves));
	return ((uint64) halves[0] << 32) | halves[1];
}

/* ---- ring ---- */

void
sa_ring_init(SaRing *ring, uint32 section_blocks)
{
	memset(ring, 0, sizeof(*ring));
	ring->section_blocks = section_blocks;
	ring->next_sequence = 1;
}

/* Pages of one batch at most. */
int
sa_journal_batch_max(uint32 section_blocks)
{
	return Min((int) section_blocks - 1, SA_JOURNAL_MAX_ENTRIES);
}

/* Number of the nth live section, the oldest is 0. */
int
sa_ring_section(const SaRing *ring, int nth)
{
	return (ring->tail + nth) % SA_JOURNAL_SECTIONS;
}

static SaRingSection *
newest(SaRing *ring)
{
	return &ring->sections[sa_ring_section(ring, ring->live - 1)];
}

/* Packed or not, a section has no more copies than blocks: so many pages more have to be durable before it is used again. */
static bool
has_room(const SaRing *ring, const SaRingSection *section, uint32 pages, uint32 copies, uint32 blocks)
{
	return section->used_blocks + blocks <= ring->section_blocks &&
		section->copies + copies <= ring->section_blocks &&
		section->pages + pages <= sa_journal_section_pages(ring->section_blocks);
}

/*
 * Reserve room for a batch of so many pages, copies of them, and blocks, its header included; 0 pages
 * is a record by itself.  False: some section must be retired first.
 */
bool
sa_ring_reserve(SaRing *ring, int pages, int copies, uint32 blocks, SaRingPlace *place)
{
	SaRingSection *section;

	Assert(pages <= sa_journal_batch_max(ring->section_blocks) && blocks >= 1 && blocks <= 1 + (uint32) copies && copies <= pages);
	if (ring->live == 0 || ring->sealed || !has_room(ring, newest(ring), pages, copies, blocks))
	{
		if (ring->live == SA_JOURNAL_SECTIONS)
			return false;
		ring->live++;
		ring->sealed = false;
		memset(newest(ring), 0, sizeof(SaRingSection));
	}
	section = newest(ring);
	place->section = sa_ring_section(ring, ring->live - 1);
	place->sequence = ring->next_sequence++;
	place->offset = SA_JOURNAL_RING +
		((uint64) place->section * ring->section_blocks + section->used_blocks) * SA_JOURNAL_BLOCK;
	place->first_key = section->pages;
	section->used_blocks += blocks;
	section->pages += pages;
	section->copies += copies;
	section->outstanding += Max(pages, 1);
	section->end_sequence = ring->next_sequence;
	return true;
}

/* So many of what was reserved are done: pages in place, or a record written. */
void
sa_ring_done(SaRing *ring, int section, uint32 count)
{
	Assert(ring->sections[section].outstanding >= count);
	ring->sections[section].outstanding -= count;
}

/* The section being filled takes no more, so that it can be retired. */
void
sa_ring_seal(SaRing *ring)
{
	ring->sealed = ring->live > 0;
}

/* How many sections, from the oldest on, have everything in place. */
int
sa_ring_retirable(const SaRing *ring)
{
	int			closed = (int) ring->live - (ring->sealed ? 0 : 1);
	int			count = 0;

	while (count < closed && ring->sections[sa_ring_section(ring, count)].outstanding == 0)
		count++;
	return count;
}

/* Where the window begins once the oldest count sections (at least one) are retired. */
uint64
sa_ring_window_after(const SaRing *ring, int count)
{
	return ring->sections[sa_ring_section(ring, count - 1)].end_sequence;
}

/*
 * The oldest count sections may be used again.  Their pages are durable in
 * place, and so is a superblock with sa_ring_window_after() of them.
 */
void
sa_ring_retire(SaRing *ring, int count)
{
	Assert(count <= (int) ring->live);
	ring->tail = (ring->tail + count) % SA_JOURNAL_SECTIONS;
	ring->live -= count;
	if (ring->live == 0)
		ring->sealed = false;
}

/* ---- reader ---- */

typedef struct Forget
{
	SaJournalKey key;
	uint64		sequence;
} Forget;

/* What a scan gathers. */
typedef struct Gathered
{
	SaJournalScan *scan;
	size_t		capacity;
	Forget	   *forgets;
	size_t		forget_count;
	size_t		forget_capacity;
} Gathered;

static int
compare_relations(const SaJournalKey *a, const SaJournalKey *b)
{
	if (a->tablespace != b->tablespace)
		return a->tablespace < b->tablespace ? -1 : 1;
	if (a->database != b->database)
		return a->database < b->database ? -1 : 1;
	if (a->relation != b->relation)
		return a->relation < b->relation ? -1 : 1;
	return 0;
}

/* Order of pages, for qsort(): those of a segment are together, by block. */
int
sa_journal_compare_pages(const void *a, const void *b)
{
	const SaJournalKey *x = a;
	const SaJournalKey *y = b;
	int			order = compare_relations(x, y);

	if (order == 0 && x->fork != y->fork)
		order = x->fork < y->fork ? -1 : 1;
	if (order == 0 && x->block != y->block)
		order = x->block < y->block ? -1 : 1;
	return order;
}

/* By key, the newest first. */
static int
compare_copies(const void *a, const void *b)
{
	const SaJournalCopy *x = a;
	const SaJournalCopy *y = b;
	int			order = sa_journal_compare_pages(&x->key, &y->key);

	if (order == 0 && x->sequence != y->sequence)
		order = x->sequence > y->sequence ? -1 : 1;
	if (order == 0 && x->offset != y->offset)
		order = x->offset > y->offset ? -1 : 1;
	return order;
}

static int
compare_forgets(const void *a, const void *b)
{
	return compare_relations(&((const Forget *) a)->key, &((const Forget *) b)->key);
}

bool
sa_journal_same_page(const SaJournalKey *a, const SaJournalKey *b)
{
	return sa_journal_compare_pages(a, b) == 0;
}

/* Does a "forget" with this key mean that page? */
bool
sa_journal_covers(const SaJournalKey *forget, const SaJournalKey *key)
{
	return compare_relations(forget, key) == 0 &&
		(forget->fork == SA_JOURNAL_ANY_FORK || forget->fork == key->fork) &&
		key->block >= forget->block;
}

/* Make room for one more element; false if there is no memory. */
static bool
grow(void **array, size_t count, size_t *capacity, size_t element)
{
	size_t		larger = *capacity == 0 ? 1024 : *capacity * 2;
	void	   *grown;

	if (count < *capacity)
		return true;
	grown = realloc(*array, larger * element);
	if (grown == NULL)
		return false;
	*array = grown;
	*capacity = larger;
	return true;
}

static int
gather_batch(const SaJournalHeader *header, Gathered *gathered)
{
	SaJournalScan *scan = gathered->scan;
	uint64		offset = header->offset + header->start;

	for (uint32 i = 0; i < header->count; i++)
	{
		const SaJournalEntry *entry = &header->entries[i];

		if (header->kind == SA_JOURNAL_FORGET)
		{
			Forget		forget = {entry->key, header->sequence};

			if (!grow((void **) &gathered->forgets, gathered->forget_count,
					  &gathered->forget_capacity, sizeof(Forget)))
				return ENOMEM;
			gathered->forgets[gathered->forget_count++] = forget;
		}
		else
		{
			SaJournalCopy copy = {entry->key, entry->crc, entry->lsn, header->sequence,
			i < header->copies ? offset : 0, entry->length};

			offset += entry->length;
			if (!grow((void **) &scan->copies, scan->count, &gathered->capacity, sizeof(SaJournalCopy)))
				return ENOMEM;
			scan->copies[scan->count++] = copy;
		}
	}
	scan->batches += header->kind == SA_JOURNAL_PAGES;
	return 0;
}

static int
scan_section(SaJournalRead read, void *arg, const SaJournalSuper *super, uint64 redo, int section,
			 Gathered *gathered)
{
	uint64		size = (uint64) super->section_blocks * SA_JOURNAL_BLOCK;
	uint64		offset = SA_JOURNAL_RING + section * size;
	uint64		end = offset + size;
	union
	{
		char		data[SA_JOURNAL_BLOCK];
		SaJournalHeader header;
	}			block;

	while (offset < end)
	{
		int			error = read(arg, offset, block.data);
		uint32		blocks = 0;

		if (error != 0)
			return error;
		if (block.header.sequence >= super->window_start)
			blocks = batch_blocks(&block.header, super, offset, end);
		/* a "forget" may void copies that are younger than it by their WAL position */
		if (blocks > 0 && (block.header.wal >= redo || block.header.kind == SA_JOURNAL_FORGET))
			error = gather_batch(&block.header, gathered);
		if (error != 0)
			return error;
		offset += (uint64) Max(blocks, 1) * SA_JOURNAL_BLOCK;
	}
	return 0;
}

/* Is the copy void?  Forgets are sorted by relation. */
static bool
is_forgotten(const Gathered *gathered, const SaJournalCopy *copy)
{
	size_t		low = 0,
				high = gathered->forget_count;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (compare_relations(&gathered->forgets[middle].key, &copy->key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < gathered->forget_count; low++)
	{
		const Forget *forget = &gathered->forgets[low];

		if (compare_relations(&forget->key, &copy->key) != 0)
			break;
		if (forget->sequence > copy->sequence && sa_journal_covers(&forget->key, &copy->key))
			return true;
	}
	return false;
}

/*
 * Find every copy that counts.  redo: where recovery will begin.  Whether the
 * page behind a copy is whole is for the caller to see when it reads it.  0, or
 * the errno of a read that failed, or ENOMEM; the scan is to be freed either way.
 */
int
sa_journal_scan(SaJournalRead read, void *arg, const SaJournalSuper *super, uint64 redo,
				SaJournalScan *scan)
{
	Gathered	gathered = {.scan = scan};
	size_t		kept = 0;
	int			error = 0;

	memset(scan, 0, sizeof(*scan));
	for (int section = 0; section < SA_JOURNAL_SECTIONS && error == 0; section++)
		error = scan_section(read, arg, super, redo, section, &gathered);
	if (error == 0 && gathered.forget_count > 0)
		qsort(gathered.forgets, gathered.forget_count, sizeof(Forget), compare_forgets);
	for (size_t i = 0; i < scan->count && error == 0; i++)
	{
		if (is_forgotten(&gathered, &scan->copies[i]))
			scan->forgotten++;
		else
			scan->copies[kept++] = scan->copies[i];
	}
	free(gathered.forgets);
	if (error != 0)
		return error;
	scan->count = kept;
	if (kept > 0)
		qsort(scan->copies, kept, sizeof(SaJournalCopy), compare_copies);
	return 0;
}

void
sa_journal_scan_free(SaJournalScan *scan)
{
	free(scan->copies);
	scan->copies = NULL;
	scan->count = 0;
}

/* Make the page of a packed copy; false if it is none. */
static bool
unpack(const char *copy, uint32 length, void *page)
{
	if (length < SA_JOURNAL_BLOCK)
		return LZ4_decompress_safe(copy, page, length, SA_JOURNAL_BLOCK) == SA_JOURNAL_BLOCK;
	memcpy(page, copy, SA_JOURNAL_BLOCK);
	return true;
}

/*
 * Read the page of a copy, which has one (offset).  *whole: it is what was written.
 * 0, or the errno of a read that failed.
 */
int
sa_journal_read_copy(SaJournalRead read, void *arg, const SaJournalCopy *copy, void *page, bool *whole)
{
	char		blocks[2 * SA_JOURNAL_BLOCK];	/* a copy is in one, or in two */
	uint32		before = copy->offset % SA_JOURNAL_BLOCK;
	uint64		first = copy->offset - before;
	int			error = read(arg, first, blocks);

	if (error == 0 && before + copy->length > SA_JOURNAL_BLOCK)
		error = read(arg, first + SA_JOURNAL_BLOCK, blocks + SA_JOURNAL_BLOCK);
	*whole = error == 0 && unpack(blocks + before, copy->length, page) && sa_journal_page_crc(page) == copy->crc;
	return error;
}

/*
 * Must the page in place be overwritten by its newest whole copy?  is_damaged:
 * it could not be read, or has a checksum, and a wrong one.
 *
 * Whatever reached the place since the copy was made is the copy or a part of
 * it; a checksum of 16 bits alone would let one torn page in 65536 pass.
 * Where the two are equal the caller decides (readback.c).
 *
 * A page in place with a newer LSN cannot be if every rule of doublewrite.c was
 * kept.  Should one be there all the same, it has the first sector of something
 * newer that redo makes again: it is left alone.
 */
bool
sa_journal_must_restore(const void *in_place, const void *copy, bool is_damaged)
{
	return is_damaged || sa_journal_page_lsn(in_place) <= sa_journal_page_lsn(copy);
}

/*
 * Must zeroes be put in the place of a page that has no copy because they do as well?
 * Not if it is one of those that were written there since it was added, which copies,
 * the newest first, tell of; redo does the rest.
 */
bool
sa_journal_must_empty(const void *in_place, const SaJournalCopy *copies, size_t count)
{
	uint32		crc = sa_journal_page_crc(in_place);

	for (size_t i = 0; i < count && copies[i].offset == 0; i++)
	{
		if (copies[i].crc == crc)
			return false;
	}
	return true;
}

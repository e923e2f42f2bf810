/*
 * wake.pml
 *	  Model of who wakes whom around the write-behind pool (sa_pool_put(),
 *	  wait_on(), sa_pool_claim() in smgr_atomic/writebehind.c, rest() in writer.c),
 *	  for spin.  Run by "make check" here, with mutations that must fail.
 *
 * All interleavings of
 *	  user		gets a slot, in line if there is none; queues a page; if it drains,
 *				waits until the page is written.  User 0 may leave the line
 *	  writer	claims, writes or queues again, pauses, naps or sleeps; the last may end
 *	  discarder	takes a page out of the queue and finds that it is another one
 *
 * No sleep here but a pause ends by itself, so what would cost a second or a nap in C is a
 * deadlock, which the monitor finds when nothing moves any more: then every user
 * has got what it wants, no slot is lost, and no page is queued while all
 * writers sleep.  (One that is queued while a writer naps will be seen.)
 *
 * A condition variable is "prepared" of its sleepers and "latch"; what is done
 * under one lock or by one atomic operation is one step.
 */
#ifndef USERS
#define USERS 2
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef DRAINS
#define DRAINS 3				/* users that drain, as bits */
#endif
#ifndef QUEUED
#define QUEUED 0				/* slots that have a page at the start */
#endif
#ifndef FAILS
#define FAILS 1					/* writes that have to be made again */
#endif
#ifndef ENDS
#define ENDS 0					/* the last writer may end */
#endif
#ifndef LEAVES
#define LEAVES 0				/* user 0 may leave the line */
#endif
#ifndef DISCARDS
#define DISCARDS 0
#endif
#ifndef BATCH
#define BATCH SLOTS
#endif
#define NONE 255

#define AWAKE 0
#define PAUSE 1					/* ends by itself */
#define NAP 2
#define SLEEP 3

#define NOTHING 0
#define TURN 1
#define DONE 2

/* the pool */
bool free_bit[SLOTS];
bool queued_bit[SLOTS];
byte number[SLOTS];				/* of the page, NONE = none */
bool awaited[SLOTS];
byte numbers = QUEUED;
byte available = SLOTS - QUEUED;
chan line = [USERS] of { byte };
bool granted[USERS];
bool hurry = false;
byte fails = 0;

/* who sleeps */
byte prepared[USERS];
bool latch[USERS];
byte resting[WRITERS + 1];
bool writer_latch[WRITERS + 1];
byte running = WRITERS;
byte users_done = 0;

#if SLOTS == 1
#define ANY_QUEUED (queued_bit[0])
#else
#define ANY_QUEUED (queued_bit[0] || queued_bit[1])
#endif
#if WRITERS == 2
#define SLEEPING ((resting[0] == SLEEP) + (resting[1] == SLEEP))
#else
#define SLEEPING (resting[0] == SLEEP)
#endif

inline wake_writer(rest)
{
#if WRITERS
	atomic {
		w = 0;
		do
		:: w < WRITERS && resting[w] < rest -> w++
		:: else -> break
		od;
		if
		:: w < WRITERS -> resting[w] = AWAKE
		:: else
		fi
	};
	if
	:: w < WRITERS -> writer_latch[w] = true
	:: else
	fi;
#endif
	w = 0
}

inline broadcast(what)
{
	d_step {
		w = 0;
		do
		:: w < USERS -> latch[w] = latch[w] || prepared[w] == what; w++
		:: else -> break
		od;
		w = 0
	}
}

/* One slot is free. */
inline grant()
{
	atomic {
		if
		:: nempty(line) -> line ? other; granted[other] = true
		:: empty(line) -> available++; other = NONE
		fi
	};
	if
	:: other != NONE -> latch[other] = latch[other] || prepared[other] == TURN; other = 0
	:: else -> other = 0
	fi
}

inline queue_again(slot)
{
	atomic { queued_bit[slot] = true; seen = awaited[slot] };
	if
	:: seen -> broadcast(DONE)
	:: else
	fi;
	seen = false;
#ifndef MUTANT_HELPER_SILENT
	if
	:: running == 0 -> broadcast(TURN)		/* C wakes only the first: the model has few */
	:: else
	fi
#endif
}

/* Claim up to BATCH pages, write them or queue them again. */
inline write_batch()
{
#ifdef MUTANT_HURRY_LATE
	hurried = false;
#else
	atomic { hurried = hurry; hurry = false };
#endif
	count = 0;
	slot = 0;
	do
	:: slot < SLOTS && count < BATCH ->
		atomic { mine[slot] = queued_bit[slot]; queued_bit[slot] = false; count = count + mine[slot] };
		slot++
	:: else -> break
	od;
#ifdef MUTANT_HURRY_LATE
	if
	:: count < BATCH -> hurry = false
	:: else
	fi;
#else
	if
	:: hurried && count == BATCH -> hurry = true
	:: else
	fi;
#endif
	slot = 0;
	do
	:: slot < SLOTS && mine[slot] ->
		if
		:: fails < FAILS -> fails++;
			queue_again(slot)
		:: true ->
			atomic { number[slot] = NONE; seen = awaited[slot]; awaited[slot] = false };
			if
			:: seen -> broadcast(DONE)
			:: else
			fi;
			seen = false;
			free_bit[slot] = true;
			grant()
		fi;
		mine[slot] = false;
		slot++
	:: slot < SLOTS && !mine[slot] -> slot++
	:: else -> break
	od;
	atomic { slot = 0; count = 0; hurried = false }
}

/* The caller has prepared to sleep. */
inline wait_on()
{
	seen = (running == 0);
	if
	:: seen && ANY_QUEUED ->
		seen = false;
		write_batch()
	:: else ->
		seen = false;
		hurry = true;
		wake_writer((me == 0 -> PAUSE : NAP));	/* user 0 should not wait for long */
		latch[me] -> latch[me] = false
	fi
}

proctype user(byte me)
{
	byte w = 0, other = 0, slot = 0, count = 0, held = 0, page = 0;
	bool hurried = false, seen = false, left = false;
	bool mine[SLOTS];

	atomic {
		if
		:: available > 0 -> available--; granted[me] = true
		:: else -> line ! me
		fi
	};
	if
	:: granted[me]
	:: else ->
		prepared[me] = TURN;
		do
		:: granted[me] -> break
		:: !granted[me] && LEAVES && me == 0 ->
			atomic {
				if
				:: granted[me]
#ifdef MUTANT_LEAVES_WITH_GRANT
					-> left = true
#endif
				:: !granted[me] -> line ?? eval(me); left = true
				fi
			};
			break
		:: !granted[me] -> wait_on()
		od;
		prepared[me] = NOTHING
	fi;
	if
	:: left -> goto done
	:: else
	fi;

	atomic {
		held = 0;
		do
		:: free_bit[held] -> free_bit[held] = false; break
		:: else -> held++; assert(held < SLOTS)
		od;
		page = numbers;
		numbers++
	};
	atomic { number[held] = page; queued_bit[held] = true };
	count = SLEEPING;
	if
	:: count == running -> wake_writer(SLEEP)
	:: else
	fi;
	count = 0;
#ifndef MUTANT_ACCEPT_SILENT
	if
	:: running == 0 -> broadcast(TURN)
	:: else
	fi;
#endif

	if
	:: (DRAINS >> me) & 1 ->
		prepared[me] = DONE;
		do
		:: atomic { number[held] == page -> awaited[held] = true }; wait_on()
		:: number[held] != page -> break
		od;
		prepared[me] = NOTHING
	:: else
	fi;
done:
	atomic { users_done++; held = 0; page = 0; left = false }
}

proctype writer(byte number_)
{
	byte w = 0, other = 0, slot = 0, count = 0, how = 0;
	bool hurried = false, seen = false;
	bool mine[SLOTS];

	do
	:: ANY_QUEUED -> write_batch()
	:: !ANY_QUEUED || (FAILS > 0 && fails == FAILS) ->		/* gathers pages, or has none */
		if
		:: true
		:: resting[number_] = PAUSE;	/* others need the device */
			writer_latch[number_] = false;
			resting[number_] = AWAKE
		fi;
		if
		:: how = NAP
		:: how = SLEEP
		fi;
		resting[number_] = how;
		if
#ifndef MUTANT_NAP_BLIND
		:: how == NAP && hurry && ANY_QUEUED
#endif
#ifndef MUTANT_SLEEP_BLIND
		:: how == SLEEP && ANY_QUEUED
#endif
		:: else ->
end:		writer_latch[number_]
		fi;
		writer_latch[number_] = false;
		resting[number_] = AWAKE
	:: ENDS && number_ == WRITERS - 1 -> break
	od;
	running--;
	broadcast(TURN);
	broadcast(DONE);
#ifndef MUTANT_ENDS_SILENT
	if
	:: ANY_QUEUED -> wake_writer(NAP)
	:: else
	fi
#endif
}

proctype discarder()
{
	byte w = 0;
	bool seen = false;

	if
	:: atomic { queued_bit[0] -> queued_bit[0] = false };
#ifdef MUTANT_PUT_BACK_SILENT
		queued_bit[0] = true;
#else
		queue_again(0);
#endif
		wake_writer(NAP)
	:: users_done == USERS
	fi
}

proctype monitor()
{
	byte i = 0, slots = 0;

	timeout;
	assert(users_done == USERS);
	assert(!(ANY_QUEUED && running > 0 && SLEEPING == running));
	slots = available;
	do
	:: i < SLOTS -> slots = slots + (number[i] != NONE); i++
	:: else -> break
	od;
	assert(slots == SLOTS)
}

init
{
	byte i = 0;

	atomic {
		do
		:: i < SLOTS ->
			number[i] = (i < QUEUED -> i : NONE);
			free_bit[i] = i >= QUEUED;
			queued_bit[i] = i < QUEUED;
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < WRITERS -> run writer(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < USERS -> run user(i); i++
		:: else -> break
		od;
		if
		:: DISCARDS -> run discarder()
		:: else
		fi;
		run monitor()
	}
}

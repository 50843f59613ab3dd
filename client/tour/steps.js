/** The steps of the tour. Made by `make docs`: change docs/tour.md, not this file. */

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {number} minutes
 * @property {{ name: string, address: string } | null} open Where on the page it happens.
 * @property {{ text?: string, command?: string }[]} parts
 * @property {string} takeAway
 */

/** @type {Step[]} */
export const STEPS = [
  {
    "title": "Start all of it",
    "minutes": 3,
    "open": null,
    "parts": [
      {
        "text": "Two databases, three instances of the service and a load balancer, on this machine, without Docker and without root."
      },
      {
        "command": "./run.sh"
      },
      {
        "text": "Leave it running, and open http://127.0.0.1:8080/. All other commands go into a second terminal, in the same folder. Ctrl-C ends all of it."
      }
    ],
    "takeAway": "everything in this tour is real: real PostgreSQL, real MongoDB, and processes that you can kill."
  },
  {
    "title": "Watch two writes lose data",
    "minutes": 5,
    "open": {
      "name": "the race",
      "address": "/?view=race"
    },
    "parts": [
      {
        "text": "Choose the plain way, and start it."
      },
      {
        "text": "The same users go to two services at once. The plain way is what most of us would write first: save the user in PostgreSQL, answer, and save it in MongoDB behind the answer. In the middle, both services are killed with kill -9, and started again. Look at two numbers of each lane: how many users a client was promised, and how many MongoDB has."
      },
      {
        "text": "There is no transaction over both databases. If the process dies between the two writes, the second one never happens. No try and no finally helps, since the program is what died. This is called a dual write."
      }
    ],
    "takeAway": "whoever writes to two stores one after the other loses data, silently, each time a process dies."
  },
  {
    "title": "See one user in two forms",
    "minutes": 5,
    "open": {
      "name": "the users",
      "address": "/?view=users"
    },
    "parts": [
      {
        "text": "Then choose any of them."
      },
      {
        "text": "On the left there are rows in seven tables, each fact once: easy to change, easy to check. On the right there is one document with all that a reader wants: one read, no join. Point at a column, and the field lights up that it has become."
      },
      {
        "text": "Writing and reading have different needs, so here they have different models and different databases: commands (create, change, delete) go to PostgreSQL, queries to MongoDB. That is CQRS, command query responsibility segregation. The price is that the document follows, some milliseconds later."
      }
    ],
    "takeAway": "CQRS is two models of the same thing, one to decide on and one to read, and a way from the first to the second."
  },
  {
    "title": "Follow one user, slowly",
    "minutes": 7,
    "open": {
      "name": "one user, step by step",
      "address": "/?view=follow"
    },
    "parts": [
      {
        "text": ""
      },
      {
        "text": "The transaction that writes the rows also writes an event (what has happened) and a pending row (what is still to be done: this user is not in MongoDB yet). All three are there, or none is. That pending row is a transactional outbox: whoever comes along later can see that there is work, even when the one who began it is dead. Once MongoDB has the document, the event SYNCRONIZED is written and the pending row goes."
      },
      {
        "text": "Change the user, and delete it: each version takes the same way."
      }
    ],
    "takeAway": "remember what is still to be done in the same transaction as the thing itself, and nothing can be forgotten."
  },
  {
    "title": "Freeze MongoDB",
    "minutes": 5,
    "open": {
      "name": "the live view",
      "address": "/"
    },
    "parts": [
      {
        "text": "Have the server send 20,000 users, and under Break something freeze MongoDB."
      },
      {
        "text": "Users are accepted as before, since accepting needs PostgreSQL alone. The number between PostgreSQL and MongoDB grows: that is the outbox. When MongoDB answers again, it drains in a second or two."
      }
    ],
    "takeAway": "a reader's database that is away costs freshness, and nothing else."
  },
  {
    "title": "Kill an instance that has users in its hands",
    "minutes": 5,
    "open": {
      "name": "the live view",
      "address": "/"
    },
    "parts": [
      {
        "text": "Have the server send 20,000 users, and under Break something choose freeze MongoDB, then kill an instance."
      },
      {
        "text": "Each pending row names the instance that works on it, for as long as that instance says each second that it lives: a lease. The killed one says nothing any more. After five seconds its lease has ended, and another instance takes its users over. The page says who took over how many, and each of them can be looked at."
      }
    ],
    "takeAway": "a lease is how the living find out what the dead have left."
  },
  {
    "title": "Prove it",
    "minutes": 5,
    "open": null,
    "parts": [
      {
        "text": "What you have seen by eye, counted: 20,000 users are created, changed and deleted while instances and databases are killed and frozen. Then every acknowledged command is compared with both databases."
      },
      {
        "command": ".venv/bin/tandem prove --fault all"
      },
      {
        "text": "It ends with a receipt, and with the exit code 0 only if nothing is lost, doubled, different or resurrected. The plain way does not pass, nor do most of seven other designs:"
      },
      {
        "command": ".venv/bin/tandem prove --peer plain_way --users 2000 --fault all"
      },
      {
        "text": ""
      }
    ],
    "takeAway": "\"we lose nothing\" is a claim that a program can check, on your machine, in a minute."
  },
  {
    "title": "Show that both stores are equal",
    "minutes": 3,
    "open": null,
    "parts": [
      {
        "text": "A proof is about a run. This is about all data, at any time, while everything goes on."
      },
      {
        "command": ".venv/bin/tandem verify --data-dir .tandem"
      },
      {
        "text": "Every instance does the same in the background, all the time; the line over the page says with what result. What differs can be repaired (--repair)."
      }
    ],
    "takeAway": "two stores drift apart without anybody noticing, unless somebody compares them."
  },
  {
    "title": "Why it is fast: the coalescer",
    "minutes": 10,
    "open": null,
    "parts": [
      {
        "text": "A round trip to a database costs the same with one user in it as with two hundred. So what arrives while one batch is under way forms the next batch. Nothing waits for a timer: who is alone goes at once."
      },
      {
        "command": ".venv/bin/python examples/coalescer.py"
      },
      {
        "text": "examples/coalescer.py is that idea in 40 lines of Python, beside a pretended database. Read it; the real one stands under all commands, documents and reads here, and makes the service some 20 to 40 times as fast as the others."
      }
    ],
    "takeAway": "gather what comes together anyway, add no wait, and a slow round trip hardly matters."
  },
  {
    "title": "Put your own aggregate on it",
    "minutes": 15,
    "open": null,
    "parts": [
      {
        "text": "Users are one aggregate, the word for a thing that changes as a whole. Yours can take the same way: you write what may happen (decide) and what it makes of the state (evolve). Rows, events, outbox, leases, history and the proof are there already."
      },
      {
        "command": ".venv/bin/tandem new account"
      },
      {
        "text": "The folder accounts has a project that works, and says in its README how it is started. Your own aggregate makes bank accounts of it, with transfers that survive a kill -9."
      }
    ],
    "takeAway": "where you put your own domain are two pure functions; all else on this page you get."
  }
];

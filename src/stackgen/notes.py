"""What speaks for a stack and what to mind on it, beside the rule that picks it, as data."""

from stackgen.article import CHOICE_SECTION, GO_SECTION, NODE_SECTION, PYTHON_SECTION
from stackgen.choices import Ai, Bottleneck, Product, Stack, Team
from stackgen.rules import CODE, EVERY, GO, PYTHON, SMALL, TYPESCRIPT, Condition, Note

REASONS: tuple[Note, ...] = (
    Note(
        (Stack.NODE, Stack.HYBRID),
        Condition({"product": (Product.SAAS,)}),
        "Organizations, roles and invitations are in the template, each one's rows kept apart by PostgreSQL itself.",
    ),
    Note(
        (Stack.NODE, Stack.HYBRID),
        Condition({"product": (Product.WEB,)}),
        "A front end in TypeScript takes the API's types as they are, instead of a copy.",
        CHOICE_SECTION,
    ),
    Note(
        (Stack.NODE, Stack.HYBRID),
        Condition({"product": (Product.API,)}),
        "Data-heavy APIs wait for databases and for other APIs: the article calls Node.js ideal for them.",
        NODE_SECTION,
    ),
    Note((Stack.NODE,), Condition({"team": TYPESCRIPT}), "It is the language that the team knows best."),
    Note((Stack.DJANGO,), Condition({"team": PYTHON}), "It is the language that the team knows best."),
    Note((Stack.GO,), Condition({"team": GO}), "It is the language that the team knows best."),
    Note(
        (Stack.GO,),
        Condition({"bottleneck": (Bottleneck.CPU,)}),
        "What computes uses every core, and the service still answers meanwhile.",
        GO_SECTION,
    ),
    Note(
        (Stack.GO,),
        Condition({"bottleneck": (Bottleneck.PART,)}),
        "The part that computes needs no service of its own here: give it a fixed number of goroutines.",
    ),
)

CAUTIONS: tuple[Note, ...] = (
    Note(
        (Stack.NODE, Stack.HYBRID),
        Condition(),
        "Put CPU-heavy work into a job or a worker, never on the event loop: one long calculation stops everyone.",
        NODE_SECTION,
    ),
    Note(
        (Stack.NODE, Stack.GO, Stack.DJANGO),
        Condition({"ai": (Ai.FEATURE,)}),
        "Call the hosted model with a deadline and a fallback; once your own model is the product, choose again.",
    ),
    Note(
        (Stack.NODE, Stack.GO, Stack.DJANGO),
        Condition({"ai": (Ai.CORE,)}),
        "A model of your own belongs in a Python service beside the backend, behind a contract that both sides test.",
        CHOICE_SECTION,
    ),
    Note(
        (Stack.HYBRID,),
        Condition(),
        "Two runtimes to build, deploy and watch: worth it only while the model really is the product.",
    ),
    Note(
        (Stack.NODE, Stack.GO, Stack.DJANGO),
        Condition({"ai": (Ai.SEARCH,)}),
        "Search by meaning is yours to write here: embeddings from a hosted model, a column of pgvector's for them.",
    ),
    Note(
        (Stack.HYBRID,),
        Condition({"ai": (Ai.SEARCH,)}),
        "The encoder that comes with it is small and knows one field's English: bring a real one before customers do.",
    ),
    Note(
        (Stack.HYBRID,),
        Condition({"product": (Product.DEVOPS_TOOL,)}),
        "A tool that people install is easier to ship as one binary: let it talk to this backend over the network.",
    ),
    Note(
        (Stack.HYBRID,),
        Condition({"bottleneck": (Bottleneck.CPU,)}),
        "Let the computing be the model's: the Python service gets the processors, the core stays small.",
    ),
    Note(
        (Stack.HYBRID,),
        Condition({"bottleneck": (Bottleneck.PART,)}),
        "If the part that computes is not the model, it still belongs beside the core, in the Python service.",
    ),
    Note(
        (Stack.DJANGO,),
        Condition(),
        "Python is slower than the other two, and many connections take more care: keep long work in the worker.",
        PYTHON_SECTION,
    ),
    Note(
        (Stack.DJANGO,),
        Condition({"bottleneck": (Bottleneck.CPU,)}),
        "Let vectorized libraries do the computing; a plain Python loop is tens of times slower than compiled code.",
    ),
    Note(
        (Stack.DJANGO,),
        Condition({"bottleneck": (Bottleneck.PART,)}),
        "Give the part that computes to the worker, as a task: no request waits for it.",
    ),
    Note(
        (Stack.DJANGO,),
        Condition({"product": (Product.REALTIME,)}),
        "Thousands of open connections are not Django's strength: give them a gateway of their own.",
        PYTHON_SECTION,
    ),
    Note(
        (Stack.GO,),
        Condition(),
        "The ecosystem is the smallest of the three: expect to write more yourself.",
        GO_SECTION,
    ),
    Note(
        (Stack.GO,),
        Condition({"team": (Team.MIXED,)}),
        "Go developers are good but few: plan time to hire or to learn.",
        CHOICE_SECTION,
    ),
    Note(
        (Stack.GO,),
        Condition({"team": (*TYPESCRIPT, *PYTHON)}),
        "The team's own language is another, and Go developers are few: plan time to learn it.",
        CHOICE_SECTION,
    ),
    Note(
        (Stack.NODE,),
        Condition({"team": (*PYTHON, *GO)}),
        "The team's own language is another: plan time to learn TypeScript and its asynchronous habits.",
    ),
    Note(
        (Stack.DJANGO,),
        Condition({"team": (*TYPESCRIPT, *GO)}),
        "The team's own language is another: plan time to learn Python and Django's conventions.",
    ),
    Note(
        (Stack.HYBRID,),
        Condition({"team": (*TYPESCRIPT, *GO)}),
        "Somebody on the team has to own the Python side: training, evaluation and the model's releases.",
    ),
    Note(
        (Stack.HYBRID,),
        Condition({"team": (*PYTHON, *GO)}),
        "Somebody on the team has to own the TypeScript core: accounts, data and the public API live there.",
    ),
    Note(
        EVERY,
        Condition({"team": SMALL}),
        "One or two people run what they build: deploy one thing, and let somebody else run the database.",
    ),
    Note(
        EVERY,
        Condition({"team": CODE}),
        "Code that stays is called through an interface of its own, never by sharing its tables.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.SAAS,)}),
        "Customers must never see each other's rows: test that for each new table.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.WEB,)}),
        "Serve pages and API from one site: cookies and cross-site rules make no trouble then.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.MOBILE,)}),
        "Old versions of an app live on phones for years: add to the API, and never change what a field means.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.REALTIME,)}),
        "A deployment cuts every open connection: clients must return and take up where they were.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.API,)}),
        "Other people's programs rely on every field: publish the OpenAPI document, and deprecate before you remove.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.DATA_SCIENCE,)}),
        "Keep raw data as they came: a result that nobody can derive again is worth nothing.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.DEVOPS_TOOL,)}),
        "It runs with its user's rights: sign what you release, and ask for no more rights than it needs.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.MICROSERVICE,)}),
        "A service among others fails with them: a deadline on each call, and an answer when a neighbour is down.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.INTERNAL,)}),
        "Few people use it, and each may do much: let the company's own sign-in decide who, and keep a history.",
    ),
    Note(
        EVERY,
        Condition({"product": (Product.INGEST,)}),
        "Decide what happens when more comes than can be kept: refuse early, and make each event safe to send twice.",
    ),
)

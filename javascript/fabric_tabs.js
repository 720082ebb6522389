// Owns: what each tab has rated, as its last answer said, and how it was before each change. Knows
// the ids of elements; not how answers come.

(window.fabricParts ??= {}).tabs = () => {
    const NAMES = ['txt2img', 'img2img'];
    const LISTS = ['liked', 'disliked'];
    const MAX_PAST = 50;
    const MOST_LOOKS = 25;

    const tabs = new Map();

    function newTab(name) {
        return {
            name: name,
            lists: {liked: [], disliked: []},
            // Both lists as the hidden fields hold them, and as they were before each change.
            texts: ['', ''],
            past: [],
            // Both as they were sent with each action, and as its answer has them: number to texts.
            sent: new Map(),
            answered: new Map(),
            // HTML by id, of what the last answer has brought.
            tiles: {},
            limit: Infinity,
            // What stands for a setting that has no value, by its name.
            defaults: {},
            // The settings as the last answer left them, by name.
            settings: null,
            // Which rated picture a gallery picture is: address to id. Addresses are unique to a
            // saved file, so the pictures of the next generation start unmarked.
            ids: new Map(),
        };
    }

    function start() {
        for (const tab of NAMES.map(newTab)) {
            if (element(tab, 'lists')) tabs.set(tab.name, tab);
        }
    }

    function element(tab, id) {
        return gradioApp().getElementById(`${tab.name}_fabric_${id}`);
    }

    function gallery(tab) {
        return gradioApp().getElementById(`${tab.name}_gallery`);
    }

    /** A state for each tab that only the part that asks for it can reach. */
    function stateOf(make) {
        const states = new WeakMap();
        return tab => {
            if (!states.has(tab)) states.set(tab, make(tab));
            return states.get(tab);
        };
    }

    /** The list that a picture is in; '' for none. */
    function listOf(tab, id) {
        return LISTS.find(list => tab.lists[list].includes(id)) || '';
    }

    /** How much a rated picture counts. */
    function weightOf(tab, id) {
        const entries = tab.texts.join(' ').split(' ').map(each => each.split('*'));
        return Number(entries.find(each => each[0] === id)?.[1] ?? 1);
    }

    /** The list that the gallery picture at an address is in; '' for none. */
    function markOf(tab, address) {
        return listOf(tab, tab.ids.get(address));
    }

    /** Called by gradio with an answer, to set both lists; `texts` are those of the page now. */
    function arrive(name, reply, edits, texts) {
        const tab = tabs.get(name);
        const {number} = parsed(reply) || {};
        const sent = tab?.sent.get(number);
        if (!sent) return texts;
        tab.sent.delete(number);
        tab.answered.set(number, parsed(edits).map((edit, at) => edited(sent[at], edit)));
        return tab.answered.get(number);
    }

    function edited(text, [start, inserted, end]) {
        return text.slice(0, start) + inserted + text.slice(text.length - end);
    }

    function parsed(reply) {
        try {
            return JSON.parse(reply);
        } catch (error) {
            // An empty or cut answer is no answer.
            return null;
        }
    }

    /** The lists of an answer; waits for them, since gradio 4 tells of the answer before. */
    async function arrived(tab, number) {
        for (let times = 0; times < MOST_LOOKS && tab.sent.has(number); times++) {
            await new Promise(resolve => setTimeout(resolve));
        }
        return tab.answered.get(number);
    }

    /** Waits until the hidden fields hold these texts, or others that infotext has set. */
    async function shown(tab, texts) {
        for (let times = 0; times < MOST_LOOKS; times++) {
            await new Promise(resolve => setTimeout(resolve));
            const fields = LISTS.map(list => element(tab, list).querySelector('textarea').value);
            if (isSame(fields, texts)) return;
        }
    }

    /** Takes over what an answer to an action says. */
    function take(tab, action, answer) {
        remember(tab, action, answer);
        LISTS.forEach((list, at) => {
            tab.lists[list] = answer.texts[at].split(' ').filter(Boolean).map(idOf);
        });
        tab.tiles = answer.tiles;
        tab.limit = answer.limit;
        tab.defaults = answer.defaults;
        tab.settings = answer.settings;
        if (answer.rated && action.address) tab.ids.set(action.address, answer.rated);
    }

    /** Notes how lists and history were before an action, for undo. */
    function remember(tab, action, {texts, change, history_changed: isForgotten}) {
        const [liked, disliked] = tab.texts;
        const isChange = isForgotten || !isSame(texts, tab.texts);
        if (action.do === 'restore') {
            tab.past.pop();
        } else if (action.do === 'open') {
            tab.past = [];
        } else if (isChange) {
            tab.past.push({liked, disliked, change});
            tab.past.splice(0, tab.past.length - MAX_PAST);
        }
        tab.texts = texts;
    }

    function idOf(entry) {
        return entry.split('*')[0];
    }

    function isSame(texts, others) {
        return String(texts) === String(others);
    }

    return {
        LISTS, start, element, gallery, stateOf, listOf, weightOf, markOf, take, isSame,
        arrive, arrived, parsed, shown,
        all: () => Array.from(tabs.values()),
        named: name => tabs.get(name),
    };
};

// Owns: what the browser keeps for the next load: whether each tab was switched on, and which page
// and browser this is, so that what was rated comes back after a reload and stays apart from
// another page's. The keys are random and mean nothing to anybody else.

(window.fabricParts ??= {}).storage = () => {
    const KEY = /^[0-9a-f]{32}$/;
    const LOCK_MS = 1000;
    const CLAIM_MS = 300;

    function newKey() {
        const bytes = crypto.getRandomValues(new Uint8Array(16));
        return Array.from(bytes, each => each.toString(16).padStart(2, '0')).join('');
    }

    /** Keeps a text for the next load: of this page, and of any page of this browser. */
    function keep(name, text) {
        for (const area of ['sessionStorage', 'localStorage']) {
            try {
                window[area].setItem(name, text);
            } catch (error) {
                // Storage that is blocked or full: the page then starts empty after a reload.
            }
        }
    }

    function kept(name, areas = ['sessionStorage', 'localStorage']) {
        for (const area of areas) {
            try {
                const text = window[area].getItem(name);
                if (text !== null) return text;
            } catch (error) {
                // As above.
            }
        }
        return null;
    }

    function keptKey(name, area) {
        const key = kept(name, [area]);
        return KEY.test(key) ? key : null;
    }

    /**
     * Whether this page may have a key; if so, it holds it until it is closed. Another open page
     * may have it: a duplicated browser tab takes the key along.
     */
    function claim(page) {
        // Browsers have locks only for https and localhost.
        return navigator.locks ? claimByLock(page) : claimByAsking(page);
    }

    function claimByLock(page) {
        // After a reload the page before gives up its own a moment later.
        const patience = new AbortController();
        setTimeout(() => patience.abort(), LOCK_MS);
        return new Promise(resolve => {
            navigator.locks.request(`fabric-page-${page}`, {signal: patience.signal}, () => {
                resolve(true);
                return new Promise(() => {});
            }).catch(() => resolve(false));
        });
    }

    async function claimByAsking(page) {
        if (!window.BroadcastChannel) return true;
        const channel = new BroadcastChannel('fabric');
        const isTaken = await new Promise(resolve => {
            channel.onmessage = event => {
                if (event.data.taken === page) resolve(true);
            };
            channel.postMessage({asked: page});
            setTimeout(() => resolve(false), CLAIM_MS);
        });
        channel.onmessage = event => {
            if (event.data.asked === page) channel.postMessage({taken: page});
        };
        if (isTaken) channel.close();
        return !isTaken;
    }

    /** A key that was kept, if no other page has it, or else a new one. */
    async function pageKey() {
        const before = keptKey('fabric-page', 'sessionStorage');
        if (before && await claim(before)) return before;
        const page = newKey();
        claim(page);
        return page;
    }

    async function claimKeys() {
        const browser = keptKey('fabric-browser', 'localStorage') || newKey();
        const page = await pageKey();
        keep('fabric-page', page);
        keep('fabric-browser', browser);
        return {page, browser};
    }

    return {
        pageKeys: claimKeys(),
        keepOn: (name, isOn) => keep(`fabric-on-${name}`, isOn ? '1' : ''),
        wasOn: name => kept(`fabric-on-${name}`) === '1',
    };
};

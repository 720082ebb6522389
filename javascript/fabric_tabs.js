// Owns: what each tab has rated, as its last answer said, and how it was before each change. Knows
// the ids of elements; not how answers come.

(window.fabricParts ??= {}).tabs = () => {
    const NAMES = ['txt2img', 'img2img'];
    const LISTS = ['liked', 'disliked'];
    const MAX_PAST = 50;

    const tabs = new Map();

    function newTab(name) {
        return {
            name: name,
            lists: {liked: [], disliked: []},
            // Both lists as the hidden fields hold them, and as they were before each change.
            texts: ['', ''],
            past: [],
            limit: Infinity,
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

    /** The list that the gallery picture at an address is in; '' for none. */
    function markOf(tab, address) {
        return listOf(tab, tab.ids.get(address));
    }

    /** Takes over what an answer to an action says. */
    function take(tab, action, answer) {
        remember(tab, action, answer);
        for (const list of LISTS) tab.lists[list] = answer[list];
        tab.limit = answer.limit;
        if (answer.rated && action.address) tab.ids.set(action.address, answer.rated);
    }

    /** Notes how lists and history were before an action, for undo. */
    function remember(tab, action, {texts, change, history_changed: isForgotten}) {
        const [liked, disliked] = tab.texts;
        const isChange = isForgotten || !isSame(texts, tab.texts);
        if (action.do === 'restore') {
            tab.past.pop();
        } else if (action.do !== 'open' && isChange) {
            tab.past.push({liked, disliked, change});
            tab.past.splice(0, tab.past.length - MAX_PAST);
        }
        tab.texts = texts;
    }

    function isSame(texts, others) {
        return String(texts) === String(others);
    }

    return {
        LISTS, start, element, gallery, stateOf, listOf, markOf, take, isSame,
        all: () => Array.from(tabs.values()),
        named: name => tabs.get(name),
    };
};

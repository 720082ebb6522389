// Which page and which browser this is, so that what was rated comes back after a reload and stays
// apart from another page's. The keys are random and mean nothing to anybody else.
/* global fabricUi */

Object.assign(fabricUi, (function() {
    const KEY = /^[0-9a-f]{32}$/;
    const CLAIM_MS = 150;

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

    /** Whether another open page has this key: a duplicated browser tab takes the key along. */
    function isTaken(page) {
        if (!page || !window.BroadcastChannel) return Promise.resolve(false);
        const channel = new BroadcastChannel('fabric');
        return new Promise(resolve => {
            channel.onmessage = event => {
                if (event.data.taken === page) resolve(true);
            };
            channel.postMessage({asked: page});
            setTimeout(() => resolve(false), CLAIM_MS);
        }).finally(() => channel.close());
    }

    function answerClaims(page) {
        if (!window.BroadcastChannel) return;
        const channel = new BroadcastChannel('fabric');
        channel.onmessage = event => {
            if (event.data.asked === page) channel.postMessage({taken: page});
        };
    }

    async function claimKeys() {
        const browser = keptKey('fabric-browser', 'localStorage') || newKey();
        const before = keptKey('fabric-page', 'sessionStorage');
        const page = before && !await isTaken(before) ? before : newKey();
        keep('fabric-page', page);
        keep('fabric-browser', browser);
        answerClaims(page);
        return {page, browser};
    }

    return {keep, kept, pageKeys: claimKeys()};
})());

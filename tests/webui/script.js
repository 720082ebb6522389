// The functions that the host's script.js gives to extensions, written anew and kept small.

function gradioApp() {
    const app = document.getElementsByTagName('gradio-app')[0];
    if (!app) return document;
    app.getElementById = (id) => document.getElementById(id);
    return app.shadowRoot || app;
}

function get_uiCurrentTab() {
    return gradioApp().querySelector('#tabs > .tab-nav > button.selected');
}

function get_uiCurrentTabContent() {
    return gradioApp().querySelector('#tabs > .tabitem[id^=tab_]:not([style*="display: none"])');
}

var opts = {};
var uiUpdateCallbacks = [];
var uiAfterUpdateCallbacks = [];
var uiLoadedCallbacks = [];
var uiTabChangeCallbacks = [];
var optionsChangedCallbacks = [];
var optionsAvailableCallbacks = [];
var uiAfterUpdateTimeout = null;
var uiCurrentTab = null;
var executedOnLoaded = false;

function onUiUpdate(callback) {
    uiUpdateCallbacks.push(callback);
}

function onAfterUiUpdate(callback) {
    uiAfterUpdateCallbacks.push(callback);
}

function onUiLoaded(callback) {
    uiLoadedCallbacks.push(callback);
}

function onUiTabChange(callback) {
    uiTabChangeCallbacks.push(callback);
}

function onOptionsChanged(callback) {
    optionsChangedCallbacks.push(callback);
}

function onOptionsAvailable(callback) {
    if (Object.keys(opts).length) {
        callback();
    } else {
        optionsAvailableCallbacks.push(callback);
    }
}

function executeCallbacks(queue, arg) {
    for (const callback of queue) {
        try {
            callback(arg);
        } catch (e) {
            console.error('error running callback', callback, ':', e);
        }
    }
}

function scheduleAfterUiUpdateCallbacks() {
    clearTimeout(uiAfterUpdateTimeout);
    uiAfterUpdateTimeout = setTimeout(() => executeCallbacks(uiAfterUpdateCallbacks), 200);
}

document.addEventListener('DOMContentLoaded', function() {
    const observer = new MutationObserver(function(mutations) {
        if (!executedOnLoaded && gradioApp().querySelector('#txt2img_prompt')) {
            executedOnLoaded = true;
            executeCallbacks(uiLoadedCallbacks);
        }
        executeCallbacks(uiUpdateCallbacks, mutations);
        scheduleAfterUiUpdateCallbacks();
        const tab = get_uiCurrentTab();
        if (tab && tab !== uiCurrentTab) {
            uiCurrentTab = tab;
            executeCallbacks(uiTabChangeCallbacks);
        }
    });
    observer.observe(gradioApp(), {childList: true, subtree: true});
});

// Ctrl+Enter generates, Alt+Enter skips, Escape interrupts
document.addEventListener('keydown', function(e) {
    const find = (name) => get_uiCurrentTabContent()?.querySelector('button[id$=_' + name + ']');
    const interrupt = find('interrupt');
    if (!interrupt) return;
    const running = interrupt.style.display === 'block';
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
        (running ? interrupt : find('generate')).click();
    } else if (e.key === 'Enter' && e.altKey) {
        find('skip').click();
    } else if (e.key === 'Escape' && running && document.activeElement.id !== 'lightboxModal') {
        interrupt.click();
    } else {
        return;
    }
    e.preventDefault();
});

// Generate waits until what was pressed before it is settled. Right after a thumb it would still
// send the lists as they were, and right after infotext names that nobody has looked up yet.
/* global fabricUi */

(function() {
    // Whatever sends the tab's form to the server as it stands; 'enqueue' is Agent Scheduler's.
    const BUTTONS = ['generate', 'upscale', 'enqueue'];
    const PROMPTS = ['prompt', 'neg_prompt'];

    function holdClick(event) {
        const button = event.target.closest('button');
        const name = button && fabricUi.tabNames().find(each => isGenerateOf(each, button));
        if (name) holdIfUnsettled(name, button, event);
    }

    /** gradio generates at Shift+Enter in a prompt, without a click. */
    function holdEnter(event) {
        if (event.key !== 'Enter' || !event.shiftKey) return;
        const name = fabricUi.tabNames().find(each => isPromptOf(each, event.target));
        const button = name && gradioApp().getElementById(`${name}_generate`);
        if (button) holdIfUnsettled(name, button, event);
    }

    function holdIfUnsettled(name, button, event) {
        const tab = fabricUi.tab(name);
        if (fabricUi.isSettled(tab)) return;
        event.stopImmediatePropagation();
        event.preventDefault();
        fabricUi.dropHeld(tab);
        tab.held = button;
        button.classList.add('fabric-held');
    }

    function isGenerateOf(name, button) {
        return BUTTONS.some(each => button.id === `${name}_${each}`);
    }

    function isPromptOf(name, node) {
        return PROMPTS.some(each => node.matches?.(`#${name}_${each} textarea`));
    }

    /** Forgets the press that was held, if any; returns its button. */
    fabricUi.dropHeld = function(tab) {
        const button = tab.held;
        tab.held = null;
        button?.classList.remove('fabric-held');
        return button;
    };

    /** Presses the button whose press was held, once nothing is under way any more. */
    fabricUi.releaseHeld = function(tab) {
        if (fabricUi.isSettled(tab)) fabricUi.dropHeld(tab)?.click();
    };

    window.addEventListener('click', holdClick, true);
    window.addEventListener('keydown', holdEnter, true);
})();
